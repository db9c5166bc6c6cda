"""What the labelling screen knows: position, filter, labels, classes. No disk, no threads, no screen."""
