"""Labels of other programs in the app: importing and exporting them, and files that lie beside the images."""
