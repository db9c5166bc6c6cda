"""What a run says of images whose class is known."""
