"""Runtimes, tiling in bounded memory, and the counting pipeline."""

DEFAULT_MODEL = "headcount-s"
"""Name of the shipped model that is taken where none is named."""
