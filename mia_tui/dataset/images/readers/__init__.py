"""Readers of image formats besides those that Pillow reads well; each is imported when a file asks for it."""
