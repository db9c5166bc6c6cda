"""The images of a dataset in order, a million of them: listed, searched, saved for the next visit."""
