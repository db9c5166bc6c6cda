"""The grid: many images at once."""
