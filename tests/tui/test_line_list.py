"""A list of lines: its heading, its cursor, and where it is scrolled to."""

from typing import Any

from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from tui_support import make_context, run, running, screen_text

from mia_tui.tui.widgets.line_list import Entry, EntryList, LineList

ROWS = 5


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(count)]


class OneList(App[None]):
    """An app of one list, `ROWS` rows high."""

    CSS = f"LineList {{ height: {ROWS}; overflow-x: hidden; }}"

    def __init__(self, lines: LineList[Any]) -> None:
        super().__init__()
        self.lines = lines
        self.picked: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.lines

    def on_line_list_line_clicked(self, event: LineList.LineClicked) -> None:
        self.picked.append(event.line)


def with_heading(*, follows_end: bool = False) -> LineList[str]:
    ink = make_context().ink

    def draw(text: str, _: int, is_current: bool) -> list[Segment]:
        return [Segment(f"{'>' if is_current else ' '}{text}")]

    return LineList(ink, draw, heading=lambda _: "heading", follows_end=follows_end)


async def shown_lines(pilot: Pilot[None]) -> list[str]:
    await pilot.pause()
    return [
        line[:20].rstrip() for line in screen_text(pilot.app).splitlines()[:ROWS]
    ]  # without the scrollbar


def test_the_heading_stays_while_the_cursor_moves_through_the_lines() -> None:
    async def test() -> None:
        async with running(OneList(with_heading())) as pilot:
            pilot.app.lines.show(numbered(20), 0)
            assert await shown_lines(pilot) == ["heading", ">line 0", " line 1", " line 2", " line 3"]
            pilot.app.lines.move(100)
            assert pilot.app.lines.cursor == 19
            shown = await shown_lines(pilot)
            assert shown[0] == "heading" and ">line 19" in shown
            pilot.app.lines.move(-100)
            assert (await shown_lines(pilot))[:2] == ["heading", ">line 0"]

    run(test())


def test_a_click_moves_the_cursor_and_one_on_the_heading_does_nothing() -> None:
    async def test() -> None:
        async with running(OneList(with_heading())) as pilot:
            pilot.app.lines.show(numbered(20), 0)
            await pilot.click(LineList, offset=(2, 0))
            await pilot.click(LineList, offset=(2, 3))
            assert (await shown_lines(pilot))[3] == ">line 2"
            assert pilot.app.picked == [2]

    run(test())


def test_a_list_that_follows_its_end_stays_there_unless_it_was_scrolled_up() -> None:
    async def test() -> None:
        async with running(OneList(with_heading(follows_end=True))) as pilot:
            lines = pilot.app.lines
            lines.show(numbered(10), None)
            assert (await shown_lines(pilot))[-1] == " line 9"
            lines.show(numbered(12), None)
            assert (await shown_lines(pilot))[-1] == " line 11"
            lines.move(-3)
            assert (await shown_lines(pilot))[-1] == " line 8"
            lines.show(numbered(14), None)
            assert (await shown_lines(pilot))[-1] == " line 8"

    run(test())


def test_a_heading_among_the_entries_cannot_be_picked() -> None:
    async def test() -> None:
        async with running(OneList(EntryList(make_context().ink))) as pilot:
            pilot.app.lines.show([Entry("recent", is_heading=True), Entry("cells", "2 images")], 1)
            await pilot.click(LineList, offset=(2, 0))
            assert pilot.app.picked == []
            await pilot.click(LineList, offset=(2, 1))
            assert pilot.app.picked == [1]

    run(test())
