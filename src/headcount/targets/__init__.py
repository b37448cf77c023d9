"""Target maps of a Scene, in numpy."""
