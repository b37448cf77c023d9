"""Limits that the command line states in its help, where numpy is not loaded."""

from __future__ import annotations

DEFAULT_MAX_PIXELS = 200_000_000
"""Image files with more pixels are refused before they are decoded."""
