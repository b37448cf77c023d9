"""The page that sets a camera up: its ground, zones and lines are marked in a picture of it."""
