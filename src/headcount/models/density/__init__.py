"""Density methods."""
