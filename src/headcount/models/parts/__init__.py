"""Backbones, necks and attention that methods are wired from."""
