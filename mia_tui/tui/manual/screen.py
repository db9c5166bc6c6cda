"""The manual in the app: a page at a time, all of them searched by typing."""

import asyncio
from functools import partial

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.manual.drawn_page import DrawnPage, drawn_page
from mia_tui.tui.manual.text import TOPICS, FoundLine, find_lines, page
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.line_list import Entry, EntryList
from mia_tui.tui.widgets.text_lines import TextLines

_SCROLL = {"up": -1, "down": 1, "first": -100_000, "last": 100_000}
_FOUND_SIGNS = 24  # of a line, enough to find it on its page
_PAUSE_S = 0.005  # before each part that is drawn behind the first lines
_BESIDE = 8  # columns beside the text
TOPIC_COLUMNS = 42
WIDE_COLUMNS = 120
"""From this width on, the titles of all pages stand on the left."""


class ManualScreen(KeyedScreen[None]):
    """Shows the pages of the manual; in a wide window their titles stand beside them.

    Args:
        context: What screens share.
        topic: The page at first.
    """

    SCOPE_NAME = "manual"

    def __init__(self, context: Context, topic: str = "start") -> None:
        super().__init__(context)
        self.topic = topic
        self._drawn: DrawnPage | None = None
        self._words: tuple[str, ...] = ()  # that were searched for
        self._before: tuple[str, int] | None = None  # the page, and the line, on which the search began
        self._drawn_for = (0, 0)  # columns and rows
        self._texts: dict[str, str] = {}
        self.at_once = {
            **{name: partial(self._scroll, lines) for name, lines in _SCROLL.items()},
            "page_next": partial(self._scroll_page, 1),
            "page_previous": partial(self._scroll_page, -1),
            "next": partial(self._turn, 1),
            "previous": partial(self._turn, -1),
            "contents": lambda: self.queue.do(self._choose, opens=True),
            "find": lambda: self.queue.do(self._find, opens=True),
            "help": lambda: self.queue.do(self.show_help, opens=True),
            "leave": self._leave,
        }
        self._topics = EntryList(context.ink, id="manual-topics")
        self._topics.set_class(True, "panel")
        self._topics.border_title = "Pages"
        self._page = TextLines(context.ink, id="manual-page", classes="panel -active")

    def compose(self) -> ComposeResult:
        with Horizontal(id="manual-middle"):
            yield self._topics
            yield self._page
        yield self.key_line

    def on_mount(self) -> None:
        self.show_page(self.topic)

    def show_page(self, topic: str, found: FoundLine | None = None) -> None:
        """Turn to a page, at its beginning or at a line of it."""
        self.topic = topic
        names = list(TOPICS)
        self._page.border_title = f"Manual · {TOPICS[topic]} · page {names.index(topic) + 1} of {len(names)}"
        self._topics.show([Entry(title) for title in TOPICS.values()], names.index(topic))
        self._draw()
        self._page.put_on_top(0)
        if found is not None and (line := self._line_of(found)):
            self.call_after_refresh(self._page.put_on_top, line)

    @on(EntryList.LineClicked)
    def _topic_clicked(self, event: EntryList.LineClicked) -> None:
        self.show_page(list(TOPICS)[event.line])

    def on_resize(self) -> None:
        if self.size != self._drawn_for:
            self._draw()

    def show(self) -> None:
        """Also after another theme was chosen."""
        self._draw()

    def _draw(self) -> None:
        if not self.size:
            return  # it is drawn when it has one
        self._drawn_for = self.size
        ink, width = self.context.ink, self.size.width
        self._topics.display = width >= WIDE_COLUMNS
        beside = _BESIDE + (TOPIC_COLUMNS if width >= WIDE_COLUMNS else 0)
        if self.topic not in self._texts:
            self._texts[self.topic] = page(self.topic, self.context.user.keys)
        self._drawn = drawn_page(self._texts[self.topic], width - beside, ink.accent())
        self._drawn.draw(self.size.height)
        if self._words:
            self._drawn.draw_all()
        self._show_lines()
        if not self._drawn.is_complete:
            self.run_worker(self._draw_rest(self._drawn), group="page", exclusive=True)

    def _show_lines(self) -> None:
        """Show the lines that are drawn, with what was searched for."""
        lines, words, cursor = self._drawn_lines, self._words, self.context.ink.cursor()
        if words:
            lines = [line.copy() for line in lines]
            hits = sum(line.highlight_words(words, cursor, case_sensitive=False) for line in lines)
            self._page.border_subtitle = f"{counted(hits, 'hit')} of {' '.join(words)!r}"
        else:
            self._page.border_subtitle = ""
        self._page.show(lines, None)

    async def _draw_rest(self, drawn: DrawnPage) -> None:
        """Draw what is below the lines in view, and let keys between its parts."""
        while not drawn.is_complete:
            await asyncio.sleep(_PAUSE_S)
            drawn.draw_part()
        if drawn is self._drawn:
            self._show_lines()

    def _complete(self) -> None:
        """Draw all of the page now."""
        if self._drawn is not None and not self._drawn.is_complete:
            self._drawn.draw_all()
            self._show_lines()

    @property
    def _drawn_lines(self) -> list[Text]:
        return [] if self._drawn is None else self._drawn.lines

    def _leave(self) -> None:
        """Go back to where a search began, or leave the manual."""
        if self._before is None:
            self.dismiss()
            return
        (topic, line), self._before, self._words = self._before, None, ()
        self.show_page(topic)
        self._complete()
        self._page.put_on_top(line)

    def _line_of(self, found: FoundLine) -> int:
        """The line at which something stands on the page as it is drawn; 0 where it is not found."""
        self._complete()
        wanted = _letters(found.line)[:_FOUND_SIGNS]
        before, ends = "", []
        for line in self._drawn_lines:
            before += _letters(line.plain)
            ends.append(len(before))
        place = before.find(wanted)
        return 0 if place < 0 else sum(end <= place for end in ends)

    def _turn(self, pages: int) -> None:
        names = list(TOPICS)
        self.show_page(names[(names.index(self.topic) + pages) % len(names)])

    def _scroll(self, lines: int) -> None:
        self._complete()
        self._page.move(lines)

    def _scroll_page(self, pages: int) -> None:
        self._scroll(pages * max(1, self._page.size.height - 1))

    async def _choose(self) -> None:
        choices = [Choice(title, name) for name, title in TOPICS.items()]
        chosen = await self.ask(PickDialog("Pages of the manual", choices, self.context.ink))
        if chosen is not None:
            self.show_page(chosen)

    async def _find(self) -> None:
        lines = find_lines("", self.context.user.keys)
        choices = [Choice(f"{TOPICS[line.topic]}: {line.line}", line) for line in lines]
        dialog = PickDialog("Find in the manual", choices, self.context.ink)
        chosen = await self.ask(dialog)
        if chosen is not None:
            self._before = self._before or (self.topic, int(self._page.scroll_offset.y))
            self._words = tuple(dialog.narrowed_to.split())
            self.show_page(chosen.topic, chosen)


def _letters(text: str) -> str:
    """Letters and digits alone: lines are wrapped, and marks of Markdown are not drawn."""
    return "".join(filter(str.isalnum, text))
