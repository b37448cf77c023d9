"""One file a format of annotations or predictions: read, write, what it holds."""
