"""`mia-tui labels`."""
