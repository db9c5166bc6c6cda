"""Finding the images of a folder: the walk, what is remembered of it, files of other kinds."""
