"""Boxes for heads that have points only."""
