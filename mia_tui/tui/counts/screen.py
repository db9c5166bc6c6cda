"""Counts of classes in groups of images: wells, slides, patients, folders."""

import asyncio
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from textual import on
from textual.app import ComposeResult

from mia_tui.errors import MiaError
from mia_tui.runs.counts.table import NOT_CORRECTED, Use
from mia_tui.text import counted, printable
from mia_tui.tui.context import Context
from mia_tui.tui.counts.asking import ask_and_write, ask_controls, ask_groups, ask_predictions
from mia_tui.tui.counts.reading import CountChoices, CountsRead, CountsReader
from mia_tui.tui.counts.table import CountLines
from mia_tui.tui.counts.words import (
    FIGURE_WORDS,
    Figure,
    cell_lines,
    figures_of,
    group_words,
    value_of,
)
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import CountsPlace, OpenDataset, OpenImages
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.panel import Panel
from mia_tui.tui.widgets.text_block import TextBlock


class CountsScreen(KeyedScreen[OpenImages | None]):
    """Counts per group; the result is images that the person wants to see, or None.

    Args:
        opened: The dataset, with its session.
        context: What screens share.
        at: Where it was left to see images.
    """

    LEAST = 50, 12
    SCOPE_NAME = "counts"
    MANUAL_PAGE = "counts"
    commands: "CountsCommands"

    def __init__(self, opened: OpenDataset, context: Context, *, at: CountsPlace | None = None) -> None:
        super().__init__(context)
        assert opened.session is not None
        self._ink, self._opened = context.ink, opened
        self._reader = CountsReader(opened.dataset, opened.state, opened.session)
        self._at = at
        self.choices = CountChoices() if at is None else at.choices
        self.figure: Figure = "fraction" if at is None else at.figure
        self.found: CountsRead | None = None
        self._is_sorted = False
        self._order: list[int] = []
        self._trouble = ""
        self._lines = CountLines(context.ink, id="counts-table")
        self._panel = Panel(self._lines, id="counts-panel", is_active=True)
        self._words = TextBlock(id="counts-words")
        self._words_panel = Panel(self._words, id="counts-words-panel")
        self._message = TextBlock(id="counts-message")
        self.commands = CountsCommands(self, opened)
        self.at_once = {
            "up": lambda: self._move(-1),
            "down": lambda: self._move(1),
            "page_previous": lambda: self._move(-self._lines.page),
            "page_next": lambda: self._move(self._lines.page),
            "first": lambda: self._move(-1_000_000),
            "last": lambda: self._move(1_000_000),
            "left": lambda: self._turn(-1),
            "right": lambda: self._turn(1),
            "figure": self._next_figure,
        }

    def compose(self) -> ComposeResult:
        yield self._panel
        yield self._words_panel
        yield self._message
        yield self.key_line

    async def load(self) -> None:
        try:
            await self.count(self.choices)
        except MiaError as error:
            self._trouble = str(error)
        if self._at is not None and self.found is not None:
            self._lines.column = min(self._at.column, len(self.found.table.classes) - 1)
            self.show()
            self._lines.put_on(self._at.group)
        self.show()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    @property
    def idle(self) -> bool:
        """Whether everything is shown."""
        return self.found is not None or bool(self._trouble)

    def say(self, message: str) -> None:
        self._message.update(self._ink.shown(message))

    def say_failed(self, message: str) -> None:
        self.say(message)

    # For the commands

    async def count(self, choices: CountChoices) -> None:
        """Count in another way.

        Raises:
            MiaError: If that is not possible; what was shown stays.
        """
        found = await asyncio.to_thread(self._reader.read, choices)
        same = self.found is not None and self.found.table.groups is found.table.groups
        self.found, self.choices, self._trouble = found, choices, ""
        if self.figure not in figures_of(found.table):
            self.figure = "fraction"
        if not same or not self._order:
            self._order, self._is_sorted = list(range(len(found.table.groups.names))), False
        self._lines.column = min(self._lines.column, len(found.table.classes) - 1)

    @property
    def cell(self) -> tuple[int | None, int]:
        """The group, None for all, and the class under the cursor."""
        return self._lines.group, self._lines.column

    def sort(self) -> str:
        """Sort groups by the figure under the cursor, or back by name; returns a sentence."""
        assert self.found is not None
        table = self.found.table
        self._is_sorted = not self._is_sorted
        groups = range(len(table.groups.names))
        if not self._is_sorted:
            self._order = list(groups)
            return "Groups are in the order of their names."
        values = [value_of(table, self.figure, group, self._lines.column) for group in groups]
        self._order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist()
        name = printable(table.classes[self._lines.column])
        return f"Groups are sorted by {FIGURE_WORDS[self.figure]} of {name}, the largest first."

    # Moving

    def _move(self, lines: int) -> None:
        self._lines.move(lines)
        self.show()

    def _turn(self, columns: int) -> None:
        if self.found is not None:
            count = len(self.found.table.classes)
            column = max(0, min(count - 1, self._lines.column + columns))
            self._lines.show_counts(self.found.table, self.figure, self._order, column)
            self.show()

    def _next_figure(self) -> None:
        if self.found is not None:
            known = figures_of(self.found.table)
            self.figure = known[(known.index(self.figure) + 1) % len(known)]
            self.show()

    @on(CountLines.LineClicked)
    def _line_clicked(self, event: CountLines.LineClicked) -> None:
        self.show()

    # What is shown

    def show(self) -> None:
        if not (self.is_attached and self._lines.size.width):
            return
        ink = self._ink
        if self.found is None:
            self._words.update(ink.shown(self._trouble or f"Counting {ink.more}"))
            return
        table = self.found.table
        self._lines.show_counts(table, self.figure, self._order, self._lines.column)
        what = f"{FIGURE_WORDS[self.figure]} of {table.use}"
        if table.use == "predictions":
            what += f" by {table.model}"
        title = f"{what}{ink.separator}{counted(len(table.groups.names), 'group')} {table.groups.how}"
        self._panel.show_title(ink.fit(title, self.size.width - 6))
        group, place = self.cell
        words = cell_lines(table, group, place)
        self._words_panel.show_title(ink.fit(group_words(table, group), self.size.width - 6))
        self._words.update("\n".join(map(ink.shown, (*words, *(table.notes if group is None else ())))))


@dataclass
class CountsCommands:
    """What the keys of the screen do but move, by the id of the action.

    Attributes:
        screen: The screen.
        opened: The dataset.
    """

    screen: CountsScreen
    opened: OpenDataset

    def __post_init__(self) -> None:
        self.by_name: dict[str, Command] = {
            "open": partial(self._open, whole=False),
            "open_group": partial(self._open, whole=True),
            "by": self._group,
            "use": self._use,
            "predictions": self._predictions,
            "correct": self._correct,
            "against": self._against,
            "order": self._order,
            "export": self._export,
            "leave": self._leave,
            "help": self.screen.show_help,
        }

    async def _open(self, *, whole: bool) -> None:
        found = self.screen.found
        if found is None:
            return
        table, (group, place) = found.table, self.screen.cell
        keys = found.behind(group, None if whole else place)
        title = group_words(table, group)
        if not whole:
            said = "label" if table.use == "labels" else "predicted"
            title += f", {said} {printable(table.classes[place])}"
        if not keys:
            self.screen.say(f"There is no image: {title}.")
            return
        at = CountsPlace(self.screen.choices, self.screen.figure, group, place)
        self.screen.dismiss(OpenImages(title, keys, counts=at))

    async def _group(self) -> None:
        by = await ask_groups(self.screen, self.screen.choices.by, self._some_path())
        if by is not None:
            await self._count(replace(self.screen.choices, by=by, against=""))

    def _some_path(self) -> str:
        session = self.opened.session
        return session.listing.path(0) if session is not None and len(session.listing) else ""

    async def _use(self) -> None:
        found = self.screen.found
        if found is not None and found.table.predictions is None:
            self.screen.say("There are no predictions of these images: labels are counted.")
        elif found is not None:
            other: Use = "labels" if found.table.use == "predictions" else "predictions"
            await self._count(replace(self.screen.choices, use=other))
            self.screen.say(f"Fractions are of {other} now.")

    async def _predictions(self) -> None:
        chosen = await ask_predictions(self.screen, self.opened)
        if chosen is not None:
            await self._count(replace(self.screen.choices, run=chosen.run, use="predictions"))

    async def _correct(self) -> None:
        wanted = not self.screen.choices.correct
        await self._count(replace(self.screen.choices, correct=wanted, use="predictions" if wanted else None))
        found = self.screen.found
        assert found is not None
        if not wanted:
            self.screen.say("Fractions are as they were predicted.")
        elif found.table.corrected is None:
            self.screen.choices = replace(self.screen.choices, correct=False)
            self.screen.say(next(note for note in found.table.notes if note.startswith(NOT_CORRECTED)))
        else:
            self.screen.figure = "corrected"
            self.screen.say(f"Fractions are corrected by the confusions of {printable(found.table.source)}.")

    async def _against(self) -> None:
        found = self.screen.found
        if found is None:
            return
        against = await ask_controls(self.screen, self.screen.choices.against, found.table.groups.name(0))
        if against is not None:
            await self._count(replace(self.screen.choices, against=against))
            controls = int(self.screen.found.table.controls.sum()) if self.screen.found else 0
            them = counted(controls, "control") if against else "all groups"
            self.screen.say(f"Groups are compared with {them}.")

    async def _order(self) -> None:
        if self.screen.found is not None:
            self.screen.say(self.screen.sort())

    async def _export(self) -> None:
        if self.screen.found is not None:
            await ask_and_write(self.screen, self.opened.dataset, self.screen.found.table)

    async def _leave(self) -> None:
        self.screen.dismiss(None)

    async def _count(self, choices: CountChoices) -> None:
        self.screen.say("Counting")
        await self.screen.count(choices)
        self.screen.say("")
