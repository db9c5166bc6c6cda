"""From bytes of the terminal to commands: the keyboard, the tables of keys, who waits."""
