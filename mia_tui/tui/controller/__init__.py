"""An open dataset without a screen: its labels are read and written here, and fingerprints are taken in idle time."""
