"""Detectors: a box on each head."""
