"""Rendered crowds: people in three dimensions, seen by a camera, through OpenGL without a screen (extra `synth`)."""

from headcount.synth.rendered.scene import MIN_SIDE_PX, MIN_VISIBLE, Rendered, render_scene, render_sequence

__all__ = ["MIN_SIDE_PX", "MIN_VISIBLE", "Rendered", "render_scene", "render_sequence"]
