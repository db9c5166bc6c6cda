"""What features and labels of now tell: `mia-tui suggest`, `mia-tui labels issues` and `mia-tui labels audit`."""
