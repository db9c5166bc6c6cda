"""What fills the terminal: layout, bindings and handlers; rules live in `dataset.session`."""
