"""The results of a run on the command line: `mia-tui evaluate` and `mia-tui runs results`."""
