"""Limits that the command line states in its help, where numpy is not loaded."""

from __future__ import annotations

DEFAULT_MAX_PIXELS = 200_000_000
"""Image files with more pixels are refused before they are decoded."""

DEFAULT_LEVEL = 0.9
"""The chance with which the true number lies in the range of a count, where nobody asks for another."""
LOWEST_LEVEL, HIGHEST_LEVEL = 0.5, 0.99
"""What may be asked for; the errors of some hundred images say nothing beyond."""
