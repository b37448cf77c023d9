"""Independent instance maps."""
