"""One file a published layout."""
