"""How commands speak to a terminal: bars, tables, pictures, output that may end."""
