"""What other programs have and get in the app: labels, files of them beside the images, exported networks."""
