"""`mia-tui train`."""
