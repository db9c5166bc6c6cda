"""What a network sees in each image of a dataset, as numbers on disk: made by a job, read by app and command line."""
