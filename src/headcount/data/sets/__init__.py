"""Data sets by name: the registry, splits, the catalogue, conversion."""
