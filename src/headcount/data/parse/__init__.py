"""Strangers' bytes: numbers, text, CSV, JSON, XML, YAML, MAT and written paths, one sentence of error each."""
