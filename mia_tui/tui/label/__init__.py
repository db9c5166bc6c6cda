"""The screen on which images are labelled."""
