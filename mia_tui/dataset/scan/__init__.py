"""Finding the images of a folder: the walk, a cache of what was read, files of other kinds."""
