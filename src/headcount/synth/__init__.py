"""Procedural crowd scenes whose every head is known exactly."""

from headcount.synth.painted.scene import MIN_SIDE_PX, PIXELS_PER_PERSON, paint_scene

__all__ = ["MIN_SIDE_PX", "PIXELS_PER_PERSON", "paint_scene"]
