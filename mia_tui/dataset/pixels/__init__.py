"""From image files to 8-bit pixels: the one path for training, prediction, export and screen."""
