"""What can be done with a run, from the screen of one and from the list of all: the same keys in both."""

from mia_tui.tui.keys.tables.model import Action


def on_runs(section: str) -> tuple[Action, ...]:
    """The commands, under a heading in the help."""
    return (
        Action(
            "stop",
            ("s",),
            "Stop",
            "End it after the current step, with a checkpoint; a waiting run ends at once.",
            section,
        ),
        Action("resume", ("r",), "Resume", "Continue where it ended, with its settings.", section),
        Action(
            "change",
            ("c",),
            "Train on",
            "Train on from its best weights with other settings, as a new run.",
            section,
        ),
        Action(
            "again",
            ("a",),
            "Run again",
            "Do it again with its settings, as a new run; a training takes the current labels.",
            section,
        ),
        Action(
            "queue",
            ("u",),
            "Queue",
            "Resume it, or run it again, when those in progress have ended.",
            section,
        ),
        Action(
            "predict",
            ("p",),
            "Predict",
            "Let its network suggest classes for images of this dataset.",
            section,
        ),
        Action(
            "delete",
            ("x", "delete"),
            "Delete",
            "Delete it, or the marked ones, with everything that was saved.",
            section,
        ),
        Action(
            "rename",
            ("e", "f2"),
            "Title",
            "Give it a title, which is shown in place of the name of its folder.",
            section,
        ),
        Action(
            "tag", ("t",), "Tags", "Change its tags, or those of the marked ones, to find it by.", section
        ),
        Action("note", ("w", "ctrl+n"), "Note", "Write a note on it.", section),
    )
