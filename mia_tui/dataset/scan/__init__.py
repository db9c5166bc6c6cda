"""Finding the images in the folders of a dataset.

walk           the names of files, one by one, in natural order
scan           all images with sizes, times and frames, for commands
incremental    the same, reported while it goes on, as a `listing`, for the app
file_cache     frame counts and hashes found earlier, for which a file need not be opened again
other_kinds    files that are no images
"""
