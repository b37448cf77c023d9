"""What is handed out: its parts, their known faults, and whether a wheel of it works; see docs/supply.md."""
