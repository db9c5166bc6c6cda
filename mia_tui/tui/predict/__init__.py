"""Predicting images of the open dataset with a trained network: which network, which images, and the start."""
