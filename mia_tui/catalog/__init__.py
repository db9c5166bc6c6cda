"""The choices a user has, as data: safe to import anywhere."""
