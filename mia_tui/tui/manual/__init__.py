"""The manual inside the program: Markdown in `pages/`, shown by `mia-tui help` and by a screen of the app."""
