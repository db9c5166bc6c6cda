"""The split into train, val and test: its rule, groups that stay together, and the allocation to the parts."""
