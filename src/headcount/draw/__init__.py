"""Pictures: predictions, matches, findings."""
