"""What a terminal can do, and pictures for it.

    model         the records: Terminal, Panel, Picture
    ask           queries the terminal, once, before the app starts
    answers       the queries, and how the answers are read
    tmux          what tmux says of the terminals around it
    choose        from the answers and the environment to the protocol that is used
    cells         the size of a cell, while the app is open
    pictures      draw_picture: from pixels to a Picture for a panel, within a limit in bytes
    draw_pixels   the limit for the protocols with pixels: sixel, kitty, iterm2
    half          half blocks, with their limit
    layout palette   what the encoders share

No file name ever goes into an escape sequence, and nothing here uses files or the app.
"""
