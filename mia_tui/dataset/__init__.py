"""Images and labels on disk: standard library, numpy, Pillow and msgspec only."""
