"""What a run writes into its folder: its job, its events, and what follows from them."""
