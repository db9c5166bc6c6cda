"""The process that works on a run: starting it, whether it lives, stopping it, who waits for whom."""
