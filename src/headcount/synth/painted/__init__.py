"""Painted crowds."""
