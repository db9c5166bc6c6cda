"""Making the features of a dataset: the runs of such jobs, in the background or in front."""
