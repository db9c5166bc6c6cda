"""`mia-tui runs`."""
