"""What `rendering` is made of: the part that is seen, its pixels from a file of any size, and its tones."""
