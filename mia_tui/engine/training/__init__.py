"""Training: the loop, one step, losses, metrics, optimizers, checkpoints, and the events that report it."""
