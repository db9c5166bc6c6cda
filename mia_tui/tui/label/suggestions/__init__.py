"""What models say of the images: stored suggestions, a network that is asked, the probabilities of all classes."""
