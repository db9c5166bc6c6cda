"""The app, a folder a feature. Never imports torch, nor `mia_tui.engine`.

    start app driver terminal_writer     from the command line to the running app, and its terminal
    screen dialogs help                  what screens have in common; questions; the help
    textual_private quick_paint later    what is private in Textual; quicker painting; timers without a widget
    theme read_messages                  the colours of the app; messages go at a key
    context open_dataset                 what screens share; the dataset that a person has opened
    keys/                                from bytes of the terminal to commands; the tables of keys
    controller/                          an open dataset without a screen: its labels are read and written here
    pictures/                            pictures made ahead of time, and sent as fast as the connection takes them
    mosaic/                              many pictures at once, as tiles
    label/ grid/ classes/                the screens on which images are labelled
    interchange/                         labels of other programs are imported and exported
    training/ runs/ home/                the form of a training, the screens of runs, the first screen
    predict/ manual/ tour/               from a key to a prediction; the manual; the tour of the demo
    widgets/                             widgets that several screens share

The command line draws with some of these modules, too, which need no textual: widgets/ink and shades,
runs/figures/run_plots and text_plots, manual/.

What modules are called is the same in each folder:

    screen or …_screen                   layout and handlers
    commands                             what the keys do, by the ids in the table of keys
    words                                sentences and other texts of the screen, by plain functions without widgets
    pickers                              the lists to choose from
"""
