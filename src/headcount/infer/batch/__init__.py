"""Many images by many processes and machines: a plan, parts of a table that are written whole, and going on."""
