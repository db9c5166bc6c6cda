"""Before a run: the dataset as the run will see it, and what speaks against starting."""
