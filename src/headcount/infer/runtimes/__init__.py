"""What runs a network: the table, and one file a runtime."""
