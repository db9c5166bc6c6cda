"""Folders that are images: Zarr arrays, and what OME says of them."""
