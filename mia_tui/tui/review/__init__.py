"""Review: what a model suggests, labels that look wrong, the audit, and how far the labelling is."""
