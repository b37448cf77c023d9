"""What is worked out of the heads of a frame: amounts with their range, density, crossings, and trend."""
