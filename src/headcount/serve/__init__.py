"""The server: counts images that are sent, and shows what is watched."""
