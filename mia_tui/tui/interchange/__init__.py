"""Labels of other programs in the app: importing and exporting them, and files beside the images; exported networks."""
