"""From an image file to pixels: reading, orientation, bit depth, scaling; for networks and for the screen."""
