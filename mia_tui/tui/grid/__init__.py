"""The grid of images."""
