"""A Scene in, a changed Scene out."""
