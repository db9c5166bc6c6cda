"""The process that works on a run: starting it, whether it is alive, stopping it, the queue of waiting runs."""
