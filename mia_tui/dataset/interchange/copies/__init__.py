"""The labels.db of a copy of the dataset: read, its images found here, and merged."""
