"""`mia-tui counts`: classes per group; the command, and what it prints."""
