"""The tour of the demo: six steps, each done by really doing it."""
