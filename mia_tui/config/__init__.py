"""What may be asked for: one field, one place that says its range, unit and meaning."""
