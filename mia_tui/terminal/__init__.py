"""What a terminal can do, and pictures for it.

    model      the records: Terminal, Panel, Picture
    ask        asks a terminal what it can do, once, before the app starts
    answers    what its answers mean
    pictures   draw_picture: pixels to a Picture for a panel, of a size in bytes if need be
    half sixel kitty iterm2   the encoders

No file name ever goes into an escape sequence, and nothing here touches files or the app.
"""
