"""Places that are watched: cameras, zones and lines on the ground, what is measured there, and who is told."""
