"""From maps to a Prediction, in numpy: one file a decoder, found by name in ``table.py``."""
