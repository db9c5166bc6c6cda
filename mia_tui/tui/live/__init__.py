"""Live suggestions: learned in a thread from the features of the images, anew after each label."""
