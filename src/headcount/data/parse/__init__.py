"""Strangers' bytes: numbers, text, CSV, JSON, XML, MAT and written paths, one sentence of error each."""
