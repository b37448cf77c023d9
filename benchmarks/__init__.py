"""What is claimed, measured: `python -m benchmarks` (make bench)."""
