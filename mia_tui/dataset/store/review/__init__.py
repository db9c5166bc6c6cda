"""What several people say of the same images, and who is at work on which; beside the labels, in the same file."""
