"""Giving runs a title, tags and a note. They are in a file of their own: what a run is to do never changes."""

from collections.abc import Iterable, Sequence

import msgspec

from mia_tui.errors import ConfigError, RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.actions.action import HowTo, RunAction, called, typed_command
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.job import RunNotes
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted, join_names, name_some, printable

LONGEST_TITLE = 100
LONGEST_TAG = 40
LONGEST_NOTE = 10_000
MOST_TAGS = 50
_WORDS_FOR_RUNS = ("last", "best")


def one_line(text: str) -> str:
    """A text without line breaks and spaces around it, as titles, tags and notes are."""
    return " ".join(text.split())


def read_tags(text: str) -> tuple[str, ...]:
    """Tags that are written with commas between them, each once."""
    tags: dict[str, str] = {}
    for tag in text.split(","):
        if one_line(tag):
            tags.setdefault(one_line(tag).casefold(), one_line(tag))
    return tuple(tags.values())


class RenameRun(RunAction):
    """Give a run a title, which is shown in place of the name of its folder; an empty one removes it.

    Args:
        run: The run.
        title: The title.
        how_to: How a person does other actions.
    """

    def __init__(self, run: RunDir, title: str, how_to: HowTo = typed_command) -> None:
        super().__init__(run, how_to)
        self._title = one_line(title)
        if self._title == run.name:
            self._title = ""

    def refusal(self) -> ConfigError | None:
        title = self._title
        if len(title) > LONGEST_TITLE:
            return _too_long("title", len(title), LONGEST_TITLE)
        if title in _WORDS_FOR_RUNS or title.startswith("-"):
            return ConfigError(
                f"A run cannot be called {title}: on the command line that means something else.",
                "Choose another title.",
            )
        other = self._namesake(title) if title else None
        if other is None:
            return None
        return ConfigError(
            f"The run {printable(other.name)} is called {printable(title)} already.", "Choose another title."
        )

    def _namesake(self, title: str) -> RunDir | None:
        try:
            beside = list_runs(StateFolder(self.run.path.resolve().parent.parent))
        except RunError:
            return None
        others = (run for run in beside if run.name != self.run.name)
        return next((run for run in others if title in (run.name, run.notes().title)), None)

    def do(self) -> str:
        self.check()
        before, notes = called(self.run), self.run.notes()
        self.run.put_notes(msgspec.structs.replace(notes, title=self._title))
        if not self._title:
            return f"{printable(self.run.name)} has no title."
        return f"{before} is now called {printable(self._title)}."


class TagRuns(RunAction):
    """Add tags to runs and remove others.

    Args:
        runs: One or more.
        add: Tags to add.
        remove: Tags to remove, whatever their case.
        how_to: How a person does other actions.
    """

    def __init__(
        self,
        runs: Sequence[RunDir],
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        how_to: HowTo = typed_command,
    ) -> None:
        super().__init__(runs[0], how_to)
        self._runs, self._add = tuple(runs), read_tags(",".join(add))
        self._remove = {tag.casefold() for tag in read_tags(",".join(remove))}

    def refusal(self) -> ConfigError | None:
        for tag in self._add:
            if len(tag) > LONGEST_TAG:
                return _too_long(f"tag {printable(tag[:20])}…", len(tag), LONGEST_TAG)
        for run in self._runs:
            count = len(self._changed(run.notes()).tags)
            if count > MOST_TAGS:
                return ConfigError(
                    f"{called(run)} would have {count} tags, and a run can have {MOST_TAGS}.",
                    "Remove some first.",
                )
        return None

    def _changed(self, notes: RunNotes) -> RunNotes:
        kept = [tag for tag in notes.tags if tag.casefold() not in self._remove]
        return msgspec.structs.replace(notes, tags=read_tags(",".join([*kept, *self._add])))

    def do(self) -> str:
        self.check()
        for run in self._runs:
            notes = run.notes()
            changed = self._changed(notes)
            if changed != notes:
                run.put_notes(changed)
        if len(self._runs) == 1:
            return tags_sentence(self.run)
        done = [
            f"{join_names(map(printable, tags))} {verb}"
            for tags, verb in ((self._add, "added"), (sorted(self._remove), "removed"))
            if tags
        ]
        return f"{counted(len(self._runs), 'run')}: {', '.join(done) or 'no tag changed'}."


class NoteRun(RunAction):
    """Write a note on a run; an empty one removes it.

    Args:
        run: The run.
        note: The note.
        how_to: How a person does other actions.
    """

    def __init__(self, run: RunDir, note: str, how_to: HowTo = typed_command) -> None:
        super().__init__(run, how_to)
        self._note = one_line(note)

    def refusal(self) -> ConfigError | None:
        too_long = len(self._note) > LONGEST_NOTE
        return _too_long("note", len(self._note), LONGEST_NOTE) if too_long else None

    def do(self) -> str:
        self.check()
        self.run.put_notes(msgspec.structs.replace(self.run.notes(), note=self._note))
        return f"The note on {called(self.run)} is {'saved' if self._note else 'removed'}."


def tags_sentence(run: RunDir) -> str:
    """Which tags a run has."""
    tags = run.notes().tags
    word = "tag" if len(tags) == 1 else "tags"
    return (
        f"{called(run)} has the {word} {name_some(tags, MOST_TAGS)}."
        if tags
        else f"{called(run)} has no tags."
    )


def common_tags(runs: Sequence[RunDir]) -> tuple[str, ...]:
    """The tags that all of some runs have."""
    first, *others = [run.notes().tags for run in runs]
    rest = [{tag.casefold() for tag in tags} for tags in others]
    return tuple(tag for tag in first if all(tag.casefold() in tags for tags in rest))


def has_tags(notes: RunNotes, wanted: Iterable[str]) -> bool:
    """Whether a run has all of some tags, whatever their case."""
    return {tag.casefold() for tag in wanted} <= {tag.casefold() for tag in notes.tags}


def _too_long(what: str, length: int, most: int) -> ConfigError:
    return ConfigError(f"The {what} has {length:,} characters, and the most are {most:,}.", "Shorten it.")
