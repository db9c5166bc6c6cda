"""What a user can set: each field says its range, unit and meaning in one place."""
