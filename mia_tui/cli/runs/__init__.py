"""`mia-tui runs`: commands that watch runs, commands that do something with them, and what is printed."""
