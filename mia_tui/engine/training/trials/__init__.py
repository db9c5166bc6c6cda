"""Short trainings that choose learning rate, weight decay and length of a run before it trains."""
