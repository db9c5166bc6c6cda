"""From bytes of the terminal to commands: the keyboard, the tables of keys, the queue of commands."""
