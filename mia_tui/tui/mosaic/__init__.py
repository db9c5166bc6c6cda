"""Many pictures at once, as tiles: in real pixels where the terminal has them, else in half blocks."""
