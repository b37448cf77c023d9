"""Settings, loop, checkpoints, export and import."""
