"""Data: one file per format, the catalogue, splits, checks and augmentation."""
