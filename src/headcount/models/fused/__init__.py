"""One network with the heads of all three families."""
