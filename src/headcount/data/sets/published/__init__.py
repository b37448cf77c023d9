"""One file a published layout: where it is documented, the layout as data, and the one parser that it needs.

How to add a set (`ucf_qnrf.py` is the shortest, `jhu.py` one with a parser of its own):

1. A file here whose ``list_NAME(path)`` gives a Listing of all official splits that are there. Images and annotations
   in folders by split are a ``Layout``; frames of a video, lists of images and MAT files are in `layout.py` too.
2. A row in `../catalogue.py`: its reader, its splits, its published counts, its terms. A package of its own names such
   a ``SetRow`` in the entry-point group ``headcount.sets``.
3. A miniature in the tests of this folder, which are then run with it.
"""
