"""What may happen to an image that is trained on; `engine.data.augment` decides when."""
