"""What is drawn of runs: curves, tables of figures, the confusion matrix."""
