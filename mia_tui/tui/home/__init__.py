"""The first screen: which dataset."""
