"""What is in the folder of a run: its job, its events, and the state computed from them."""
