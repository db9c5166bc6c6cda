"""The table of runs, the screen of one, and the comparison of several."""
