"""From a file to pixels: reading, orientation, intensity; for the network and for the screen."""
