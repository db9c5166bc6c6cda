"""Two runs side by side: what each is right on, McNemar's test, and the images on which they differ."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import on
from textual.app import ComposeResult

from mia_tui.errors import MiaError
from mia_tui.runs.actions.action import called
from mia_tui.runs.evaluation.pairs import CommonResults, common_results
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.open_dataset import OpenDataset, OpenImages, RunPlace
from mia_tui.tui.results.computed import ComputedResults, Rows, read_computed
from mia_tui.tui.results.images import TilesOfRows, images_of
from mia_tui.tui.results.metric_pages import pointed
from mia_tui.tui.results.page import ChosenRows
from mia_tui.tui.results.places import PairPlace
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.panel import Panel
from mia_tui.tui.widgets.text_block import TextBlock

CHOICES = (
    "on which they differ",
    "on which only A is right",
    "on which only B is right",
    "on which both are wrong",
)
"""Which of the common images are listed."""

_MOST_LINES = 1000
_FAR = 1_000_000
_SURE = 0.05
_NUMBER = 7


@dataclass(frozen=True)
class _PairLine:
    """An image with what both runs say of it; probabilities in words, empty where they are not kept."""

    path: str
    truth: str
    one: str
    probability_one: str
    other: str
    probability_other: str


class PairScreen(KeyedScreen[OpenImages | None]):
    """Compares two runs image by image; the answer is images that the person wants to see, or None.

    Args:
        run: The first run, A.
        other: The second, B.
        opened: The dataset.
        context: What screens share.
        at: Where to return to; None begins with all images on which they differ.
    """

    LEAST = 50, 14
    SCOPE_NAME = "pair"
    MANUAL_PAGE = "results"

    def __init__(
        self,
        run: RunDir,
        other: RunDir,
        opened: OpenDataset,
        context: Context,
        *,
        at: PairPlace | None = None,
    ) -> None:
        super().__init__(context)
        place = at or PairPlace(other)
        self.run, self.other, self.opened = run, other, opened
        self.first: ComputedResults | None = None  # all results of A
        self.pair: CommonResults | None = None
        self._places: dict[int, Rows] = {}  # of the images of each choice among the common ones
        self.choice = place.shown
        self._line: int | None = place.line  # until the list is shown
        self._titles, self._trouble, self._message = (run.name, other.name), "", ""
        self._facts = TextBlock(id="pair-facts")
        self._list: LineList[_PairLine] = LineList(
            context.ink, self._draw, heading=self._heading, id="pair-list"
        )
        self._panel = Panel(self._list, id="pair-panel", is_active=True)
        self._said = TextBlock(id="pair-message")
        self._shown: object = None
        self._longest = 8
        self.commands = PairCommands(self)
        self.at_once = {"leave": lambda: self.dismiss(None)}

    def compose(self) -> ComposeResult:
        yield self._facts
        yield self._panel
        yield self._said
        yield self.key_line

    async def load(self) -> None:
        try:
            titles = await asyncio.to_thread(lambda: (called(self.run), called(self.other)))
            self._titles = titles
            await asyncio.to_thread(self._read)
        except MiaError as error:
            self._trouble = str(error)
        self.show()

    def _read(self) -> None:
        """Read both, and compute what is said of them."""
        first = read_computed(self.run, self.opened)
        pair = common_results(first.results, read_computed(self.other, self.opened).results)
        one, other = pair.right
        masks = (one & ~other, other & ~one, ~one & ~other)
        self._places = dict(enumerate((pair.differing, *map(np.flatnonzero, masks))))
        _ = pair.test, pair.difference, pair.is_grouped
        self.first, self.pair = first, pair

    # For the commands

    @property
    def place(self) -> PairPlace:
        """Where this is, to return to."""
        return PairPlace(self.other, self.choice, self._list.cursor or 0)

    @property
    def idle(self) -> bool:
        return self._has_loaded

    @property
    def chosen(self) -> ChosenRows | None:
        """The images that are listed, as those of the first run."""
        if self.pair is None:
            return None
        places = self._places[self.choice]
        title = f"{CHOICES[self.choice]}, A {self._titles[0]}, B {self._titles[1]}"
        return ChosenRows(title, self.pair.rows_one[places], self._list.cursor or 0) if len(places) else None

    def move(self, by: int) -> None:
        self._list.move(by)

    def move_page(self, pages: int) -> None:
        self._list.move(pages * self._list.page)

    def turn(self, by: int) -> None:
        """List the next of the choices."""
        self.choice = (self.choice + by) % len(CHOICES)
        self._line = 0

    def say(self, message: str) -> None:
        self._message = message

    # Painting

    @on(LineList.LineClicked)
    def _cursor_moved(self) -> None:
        self.show()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    def on_screen_resume(self) -> None:
        self.show()

    def show(self) -> None:
        if not self.is_current or not self.size.width:
            return
        ink, pair = self.context.ink, self.pair
        self._said.update(ink.shown(self._message))
        if pair is None:
            self._facts.update(ink.shown(self._trouble or "Reading the results of both."))
            return
        self._facts.update(ink.shown_lines("\n".join(self._sentences(pair))))
        places = self._places[self.choice]
        if self._shown != self.choice:
            self._shown = self.choice
            lines = [self._pair_line(pair, place) for place in places[:_MOST_LINES].tolist()]
            names = {name for line in lines for name in (line.truth, line.one, line.other)}
            self._longest = max((ink.width(ink.shown(name)) for name in names), default=8)
            self._list.show(lines, self._line if lines else None)
        first = f"the first {_MOST_LINES:,} of " if len(places) > _MOST_LINES else ""
        title = (
            f"{first}{counted(len(places), 'image')} {CHOICES[self.choice]} ({self.key('pane_next')}: others)"
        )
        self._panel.show_title(ink.fit(title, max(1, self.size.width - 6)))

    def _sentences(self, pair: CommonResults) -> list[str]:
        test, total = pair.test, len(pair.rows_one)
        lines = [
            f"{letter} {title}: {right:,} of {counted(total, 'image')} right, {right / total:.1%}"
            for letter, title, right in (
                ("A", self._titles[0], test.both + test.only_one),
                ("B", self._titles[1], test.both + test.only_other),
            )
        ]
        lines.append(
            f"Both right {test.both:,}, only A {test.only_one:,}, only B {test.only_other:,}, "
            f"neither {test.neither:,}."
        )
        difference, interval = pair.difference, pair.difference.interval
        known = difference.why_none
        if interval is not None:
            known = f"95 % interval {interval.low:+.1%} to {interval.high:+.1%}, {interval.method}"
        lines.append(
            f"Accuracy of A less that of B: {difference.value:+.1%}{f' ({known})' if known else ''}."
        )
        verdict = (
            "one is right more often than chance explains"
            if test.p < _SURE
            else "such a difference may be chance"
        )
        way = "exact" if test.method == "exact" else "chi-squared with continuity correction"
        lines.append(f"McNemar's p {_p_words(test.p)} ({way}): {verdict}.")
        if pair.is_grouped:
            lines.append("Images of a group are alike, so p may be too small; the interval is over groups.")
        if pair.relabelled:
            lines.append(f"{counted(pair.relabelled, 'image')} had another label when B was evaluated.")
        if pair.views_remark:
            lines.append(pair.views_remark)
        return lines

    def _pair_line(self, pair: CommonResults, place: int) -> _PairLine:
        said, probabilities = [], []
        for found in (pair.one, pair.other):
            predicted, values = int(found.predicted[place]), found.log_probabilities
            said.append(found.classes[predicted])
            probabilities.append("" if values is None else f"{np.exp(float(values[place, predicted])):.3f}")
        key, results = pair.one.keys[place], pair.one
        path = key.path + (f" frame {key.frame}" if key.frame > 0 else "")
        truth = results.classes[int(results.truth[place])]
        return _PairLine(path, truth, said[0], probabilities[0], said[1], probabilities[1])

    def _class_width(self, width: int) -> int:
        return max(8, min(self._longest, (width - 2 * _NUMBER - 20) // 3)) + 1

    def _heading(self, width: int) -> str:
        room = self._class_width(width)
        said = "".join(f"{title:<{room}}{'p':>{_NUMBER - 1}} " for title in ("A says", "B says"))
        return f"  {'truth':<{room}}{said} image"

    def _draw(self, line: _PairLine, width: int, is_current: bool) -> list[Segment]:
        ink, room = self.context.ink, self._class_width(width)
        pieces = [pointed(ink, ink.pad(line.truth, room - 1), is_current)]
        for said, probability in (
            (line.one, line.probability_one),
            (line.other, line.probability_other),
        ):
            is_wrong = said != line.truth
            pieces.append(Segment(ink.pad(said, room), ink.fault() if is_wrong else Style()))
            pieces.append(Segment(f"{probability:>{_NUMBER - 1}} ", ink.dim()))
        taken = room + 2 + 2 * (room + _NUMBER)
        return [*pieces, Segment(f" {ink.fit_left(line.path, max(0, width - taken - 2))}", Style())]


class PairCommands:
    """What the keys of the screen do, by the id of the action.

    Args:
        screen: The screen.
    """

    def __init__(self, screen: PairScreen) -> None:
        self._screen = screen
        moves = {"up": -1, "down": 1, "first": -_FAR, "last": _FAR}
        self.by_name: dict[str, Command] = {
            **{name: self._soon(screen.move, by) for name, by in moves.items()},
            "page_next": self._soon(screen.move_page, 1),
            "page_previous": self._soon(screen.move_page, -1),
            "pane_next": self._soon(screen.turn, 1),
            "pane_previous": self._soon(screen.turn, -1),
            "open": self._open,
            "gallery": self._show_tiles,
            "leave": self._leave,
            "help": screen.show_help,
        }

    @staticmethod
    def _soon(do: Callable[[int], None], by: int) -> Command:
        async def command() -> None:
            do(by)

        return command

    async def _open(self) -> None:
        first, chosen = self._screen.first, self._screen.chosen
        if first is None or chosen is None:
            self._screen.say("There are no such images.")
            return
        self._leave_for(await images_of(first, chosen, self._screen.opened))

    async def _show_tiles(self) -> None:
        from mia_tui.tui.runs.gallery import GalleryScreen

        screen, first, chosen = self._screen, self._screen.first, self._screen.chosen
        if first is None or chosen is None:
            screen.say("There are no such images.")
            return
        tiles = TilesOfRows(first, chosen)
        gallery = GalleryScreen(
            chosen.title, tiles, screen.opened, screen.context, first=tiles.first, keys=tiles.keys
        )
        answer = await screen.ask(gallery)
        if answer is not None:
            self._leave_for(answer)

    def _leave_for(self, images: OpenImages) -> None:
        screen = self._screen
        place = RunPlace(screen.run, None, from_table=True, results=screen.place)
        screen.dismiss(replace(images, place=place))

    async def _leave(self) -> None:
        self._screen.dismiss(None)


def _p_words(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.001 else f"= {p:.1e}" if p > 0 else "< 1e-300"
