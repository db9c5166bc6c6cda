"""The form of a training, its preview and its checks."""
