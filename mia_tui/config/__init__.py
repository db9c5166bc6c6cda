"""What a user can set: each field says its range, unit and meaning in one place.

`train` has the settings of a training, `settings_file` reads and writes them as TOML; `user` has those of the app,
from config.toml in the user's folder, and what was chosen in it. Files of both are read by `toml_file`.
"""
