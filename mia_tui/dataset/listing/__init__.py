"""The list of a dataset's images in memory, a million of them; it never reads an image, nor looks into a folder.

`listing` is what others use: images by row or by key. `arrays`, `path_table` and `folders` are its parts; `cache`
saves it for the next visit. A scan fills it: `scan.incremental`.
"""
