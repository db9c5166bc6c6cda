"""Labels from and to other programs: read into a `LabelFile`, import it, or write the store's labels out."""
