"""Images and labels on disk: standard library, numpy and Pillow only."""
