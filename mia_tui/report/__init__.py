"""The report of a run for a paper: one HTML file without network, figures for print, an archive, and the numbers.

    facts.py evaluated.py   everything that is known of the run and its results, read from its folder and its dataset
    numbers.py              what follows from the results: metrics with intervals, curves, calibration, largest losses
    words/                  methods, limits, checklist, literature and settings in words
    palette.py figures.py   colours that colour-blind people tell apart, and the figures, drawn by matplotlib
    thumbnails.py           small pictures of images
    activation.py           where the network looks in them
    page.py templates/      the HTML
    archive.py              the archive with all that a checklist asks for
    record.py               the numbers as JSON
    making.py               all of it, in order

Nothing of the app imports these modules: it starts `mia-tui report` in a process of its own.
"""
