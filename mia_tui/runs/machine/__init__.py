"""The machine a run works on: GPUs, processor cores, processes."""
