"""From samples on disk to batches on the device."""
