"""Sort images into classes, train a network on them, predict the rest."""

__version__ = "0.1.0"
