"""Evaluating a network on images whose class is known: which images, predictions, confusion matrix, metrics."""
