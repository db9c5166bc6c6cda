"""Classes: the screen to edit them, and how other screens show them."""
