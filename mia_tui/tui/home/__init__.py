"""The first screen: choosing a dataset."""
