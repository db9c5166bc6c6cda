"""`mia-tui labels`: one module for the commands, and one each for export, import and statistics."""
