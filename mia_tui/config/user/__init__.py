"""What one user set for the app: `settings` from config.toml, with `keys` among them, and choices that are `kept`."""
