"""Another package's method and format, as its author would write them."""
