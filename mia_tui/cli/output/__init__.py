"""Output of the commands: progress bars, tables, wrapped text, images, safe streams."""
