"""What a network sees in the images, and what that and the labels of now tell: features, suggest, issues, audit."""
