"""Classes: their screen, and how they are shown on others."""
