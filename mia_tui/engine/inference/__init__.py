"""Using a trained network: evaluation and prediction."""
