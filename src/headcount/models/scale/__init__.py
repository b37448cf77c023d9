"""How large heads are where they stand."""
