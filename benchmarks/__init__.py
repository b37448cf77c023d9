"""What is claimed, measured. Each is run as `python -m benchmarks.NAME`; `--help` says what it takes.

`python -m benchmarks` (make bench): speed, start-up and memory of the shipped model.
`accuracy`: errors on validation lists, on photographs of nobody and on a place never seen, by model.
`cameras`: how many cameras a machine keeps up with, by model and frames a second.
`instances`: instance-map targets, and decoding the largest images of the field.
`interpolation`: boxes from a few presets, against the hidden boxes of a data set.
`loading`: crops a second from files and from the cache, against what training consumes.
`losses`: the focal family beside torchvision's focal loss, forward and backward; the heat of 2,000 heads.
`localization`: matching and scoring of the NWPU validation files.
`outputs`: records a second that databases, files, brokers and webhooks take, and how long whoever measures waits.
`scale`: how far a count moves when the photograph is enlarged or shrunk.
`targets`: what density maps, crosses and instance maps can tell at best, at strides 1, 2 and 4.
"""
