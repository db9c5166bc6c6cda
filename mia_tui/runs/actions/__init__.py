"""What a person does with a run, the same in the app and on the command line.

    action.py      what every action has: why it is not possible, the question before it, the doing, what is said
    starting.py    resume, queue and run again
    ending.py      stop, kill and delete
    noting.py      title, tags and note
    using.py       which runs have a network to predict with
    reporting.py   a report for a paper

The app and the command line only ask and show. A new action is a class here, a key in `tui/keys/tables/runs.py`
and a command in `cli/runs/`.
"""
