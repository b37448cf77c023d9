"""Locating each head: a map of instances and what is learned from it."""
