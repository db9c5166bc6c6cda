"""The image on the labelling screen: how it is shown, and between which values."""
