"""The runs of a dataset: finding, listing, moving and deleting them, and how they are spoken of."""
