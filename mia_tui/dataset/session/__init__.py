"""The state behind the labelling screen: position, filter, labels, classes. No disk, no threads, no screen."""
