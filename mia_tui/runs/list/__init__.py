"""The runs of a dataset: finding, listing, resuming and deleting them, and their states in words."""
