"""The protocol between a worker and whoever watches it; no torch, no terminal."""
