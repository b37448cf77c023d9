"""Protocols and reports."""
