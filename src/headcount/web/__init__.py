"""What every page and server of headcount stands on: who may speak to it, and the socket that it listens at."""
