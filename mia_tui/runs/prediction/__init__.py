"""What a run says of images whose class is not known: result files and suggestions."""
