"""Each thing that is taken from inside Textual does what it is taken for; all of it was seen in version 8.2.8."""

import asyncio
import io
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import textual
from rich.segment import Segment
from textual import constants, events
from textual.app import App, ComposeResult
from textual.geometry import Region, Size
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widgets import Static
from tui_support import run, running

from mia_tui.tui import textual_private as private
from mia_tui.tui.textual_private import SEEN_IN, CoveredScreen, FaultKeepingApp, LazyStrip, SequenceParser

ROOT = Path(__file__).parents[2]


def test_versions_in_which_none_of_this_was_tried_are_kept_out() -> None:
    major, minor, _ = map(int, SEEN_IN.split("."))
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert [need.split(",")[1] for need in needs if need.startswith("textual>")] == [f"<{major}.{minor + 1}"]
    assert textual.__version__.startswith(f"{major}.{minor}."), "change SEEN_IN when the tests pass"


def test_textual_draws_with_the_colours_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "truecolor")
    private.use_colour_system("standard")
    assert App[None]().console.color_system == "standard"


@pytest.mark.parametrize("character", "=!/?&~{}|*+-<>%[]aZ5")
def test_a_character_has_the_name_that_its_key_comes_with(character: str) -> None:
    (event,) = SequenceParser().feed(character)
    assert isinstance(event, events.Key)
    assert event.key == private.key_of_character(character)


def test_the_parser_tells_a_sequence_that_goes_on_from_one_it_knows() -> None:
    known, torn = SequenceParser(), SequenceParser()
    assert [event.key for event in known.feed("\x1bOP") if isinstance(event, events.Key)] == ["f1"]
    assert known.give_up() == []
    assert list(torn.feed("\x1b[1")) == []
    assert torn.give_up() != []
    assert [event.key for event in torn.feed("x") if isinstance(event, events.Key)] == ["x"]


class Driver(private.TextualDriver):
    """Reads nothing until it is to end."""

    continued = 0

    def run_input_thread(self) -> None:
        self.exit_event.wait()

    def was_continued(self) -> None:
        self.continued += 1
        super().was_continued()


@pytest.fixture
def signals() -> Iterator[None]:
    numbers = signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGTTOU, signal.SIGTTIN
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_driver_tells_how_far_it_has_taken_the_terminal(
    signals: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keys").touch()

    async def test() -> None:
        with (tmp_path / "keys").open() as keys:
            monkeypatch.setattr("sys.__stdin__", keys)
            written = io.StringIO()
            driver = Driver(App[None]())
            driver.write_through(written)
            assert not driver.has_begun and not driver.has_read and not driver.reads
            driver.start_application_mode()  # type: ignore[no-untyped-call]
            assert driver.has_begun and driver.has_read and driver.reads
            driver.stop_application_mode()
            assert driver.has_read and not driver.reads
            driver.close()
            assert "\x1b[?1049h" in written.getvalue()
            signal.raise_signal(signal.SIGCONT)
            assert driver.continued == 1

    asyncio.run(test())


class Typed(App[None]):
    """Notes its keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []

    def on_key(self, event: events.Key) -> None:
        self.keys.append(event.key)


def test_what_a_thread_sends_comes_to_the_app_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keys").touch()

    async def test() -> None:
        app = Typed()
        async with running(app) as pilot:
            with (tmp_path / "keys").open() as keys:
                monkeypatch.setattr("sys.__stdin__", keys)
                driver = Driver(app)
            await asyncio.to_thread(lambda: [driver.process_message(events.Key(key, key)) for key in "abc"])
            await pilot.pause()
            assert app.keys == ["a", "b", "c"]

    run(test())


class Faulty(FaultKeepingApp[int]):
    """Ends by a fault in a worker."""

    def on_mount(self) -> None:
        self.run_worker(self.fail())

    async def fail(self) -> None:
        raise LookupError("nothing there")


def test_a_fault_ends_the_app_and_is_kept_as_it_was_raised() -> None:
    async def test() -> None:
        app = Faulty()
        with pytest.raises(LookupError, match="nothing there"):
            async with running(app) as pilot:
                await pilot.pause(0.5)
        assert isinstance(app.fault, LookupError) and app.return_code == 1

    asyncio.run(test())


def test_what_is_written_to_the_terminal_goes_through_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        app, written = FaultKeepingApp[int](), []
        app.write_terminal("before it has begun")
        async with running(app):
            monkeypatch.setattr(
                "textual.drivers.headless_driver.HeadlessDriver.write", lambda _, data: written.append(data)
            )
            app.write_terminal("a picture")
        assert "a picture" in written

    run(test())


def test_one_message_of_two_is_taken_away() -> None:
    async def test() -> None:
        app = App[None]()
        async with running(app, notifications=True) as pilot:
            assert private.messages_shown(app) == []
            app.notify("read")
            app.notify("new")
            await pilot.pause()
            first, second = sorted(private.messages_shown(app), key=lambda note: note.raised_at)
            private.take_messages_away(app, [first])
            await pilot.pause()
            assert private.messages_shown(app) == [second]
            assert len(app.screen.query("Toast")) == 1

    run(test())


def test_an_app_is_told_that_there_are_other_messages() -> None:
    class Told(private.FaultKeepingApp[None]):
        seen: list[int] = []  # noqa: RUF012  # a test has one app

        def messages_changed(self) -> None:
            self.seen.append(len(private.messages_shown(self)))

    async def test() -> None:
        app = Told()
        async with running(app, notifications=True) as pilot:
            app.notify("one")
            app.notify("two")
            await pilot.pause()
            assert app.seen[-1] == 2
            private.take_messages_away(app, private.messages_shown(app))
            assert app.seen[-1] == 0

    run(test())


class Below(CoveredScreen[None]):
    """Says something that changes."""

    def compose(self) -> ComposeResult:
        yield Static("below", id="said")


class Above(Screen[None]):
    """Counts how often it is painted."""

    painted = 0

    def render_line(self, y: int) -> Strip:
        self.painted += 1
        return super().render_line(y)


class ModalAbove(ModalScreen[None], Above):
    """The same over a screen that is seen around it."""


@pytest.mark.parametrize(("above", "is_painted"), [(Above, False), (ModalAbove, True)])
def test_a_change_below_paints_only_a_screen_through_which_it_is_seen(
    above: type[Above], is_painted: bool
) -> None:
    async def test() -> None:
        app, lower, upper = App[None](), Below(), above()
        async with running(app) as pilot:
            await app.push_screen(lower)
            await app.push_screen(upper)
            await pilot.pause()
            upper.painted = 0
            lower.query_one("#said", Static).update("changed")
            await pilot.pause(0.1)
            assert (upper.painted > 0) is is_painted
            await pilot.app.pop_screen()
            await pilot.pause()
            assert "changed" in text_of(app.screen)

    run(test())


def text_of(screen: Screen[Any]) -> str:
    lines = private.lines_of(screen, screen.size, Region(0, 0, *screen.size), joined)
    assert lines is not None
    return "\n".join(line.text for line in lines)


def joined(parts: list[Strip]) -> Strip:
    return Strip.join(parts)


def test_the_lines_of_a_screen_below_are_taken_as_they_are_unless_it_has_another_size() -> None:
    async def test() -> None:
        app = App[None]()
        async with running(app, size=(80, 24)):
            await app.push_screen(Below())
            assert text_of(app.screen).startswith("below")
            assert private.lines_of(app.screen, Size(10, 10), Region(0, 0, 10, 10), joined) is None
            (line,) = private.lines_of(app.screen, Size(80, 24), Region(1, 0, 3, 1), joined) or []
            assert line.text == "elo"

    run(test())


class Noting(private.SpanCompositor):
    """Notes what is to be painted, and paints nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[int, int, int]] = []

    def render_partial_update(self) -> None:  # type: ignore[override]
        self.noted += self.take_spans()


def test_what_is_to_be_painted_is_told_once_by_line_and_columns() -> None:
    async def test() -> None:
        app, screen, compositor = App[None](), Below(), Noting()
        private.use_compositor(screen, compositor)
        async with running(app) as pilot:
            await app.push_screen(screen)
            await pilot.pause()
            compositor.noted.clear()
            screen.query_one("#said").refresh()
            await pilot.pause(0.1)
            assert compositor.noted == [(0, 0, screen.size.width)]
            assert list(compositor.take_spans()) == []

    run(test())


def test_what_is_due_is_painted_at_once_and_only_once() -> None:
    async def test() -> None:
        app, screen, compositor = App[None](), Below(), Noting()
        private.use_compositor(screen, compositor)
        async with running(app) as pilot:
            await app.push_screen(screen)
            await pilot.pause()
            compositor.noted.clear()
            screen.query_one("#said").refresh()
            screen.paint_now()
            assert compositor.noted == [(0, 0, screen.size.width)]
            await pilot.pause(0.1)
            assert len(compositor.noted) == 1

    run(test())


def test_a_change_of_the_layout_is_left_to_textual() -> None:
    async def test() -> None:
        app, screen, compositor = App[None](), Below(), Noting()
        private.use_compositor(screen, compositor)
        async with running(app) as pilot:
            await app.push_screen(screen)
            await pilot.pause()
            compositor.noted.clear()
            screen.query_one("#said", Static).update("two\nlines")
            screen.paint_now()
            assert compositor.noted == []
            await pilot.pause(0.1)
            assert screen.query_one("#said").size.height == 2

    run(test())


class Lazy(LazyStrip):
    """Counts how often its segments are made."""

    made = 0

    def make_segments(self) -> list[Segment]:
        self.made += 1
        return [Segment("later")]


def test_the_segments_of_a_line_are_made_only_where_they_are_read() -> None:
    strip = Lazy(5)
    assert strip.cell_length == 5 and strip.made == 0
    assert strip.text == "later"
    assert strip.made == 1
    assert strip.crop(1, 3).text == "at"


def test_the_height_of_a_widget_is_found_anew_when_it_is_asked_for() -> None:
    async def test() -> None:
        app, text = App[None](), Static("one")
        async with running(app) as pilot:
            await app.mount(text)
            text.update("one")
            app.screen._refresh_layout()  # before the widget was idle
            text.update("one\ntwo")
            private.find_height_anew(text)
            await pilot.pause()
            assert text.size.height == 2

    run(test())


class Filled(private.QuickScreen[None]):
    """Fills its widget when it hears of its size."""

    def compose(self) -> ComposeResult:
        yield Static(id="said")

    def on_resize(self) -> None:
        self.query_one("#said", Static).update("first line\nsecond line")


class FilledDialog(ModalScreen[None], Filled):
    """The same over another screen."""

    CSS = "#said { width: 20; height: auto; }"


class Switching(private.SwitchingApp[None]):
    """Keeps what is painted, in place of the paint."""

    pictures_are_text = True

    def __init__(self) -> None:
        super().__init__()
        self.painted: list[tuple[object, list[tuple[int, int, int]]]] = []

    def opened(self, screen: private.QuickScreen[None]) -> private.QuickScreen[None]:
        private.use_compositor(screen, Spans(self, screen))
        return screen


class Spans(private.SpanCompositor):
    """Notes what it is to paint."""

    def __init__(self, app: Switching, screen: object) -> None:
        super().__init__()
        self._app, self._screen = app, screen

    def render_update(self, **_: object) -> None:  # type: ignore[override]
        if spans := list(self.take_spans()):
            self._app.painted.append((self._screen, spans))


def test_a_screen_is_painted_once_when_it_opens_and_once_when_it_is_back() -> None:
    async def test() -> None:
        app = Switching()
        async with running(app, size=(40, 12)) as pilot:
            lower, upper = app.opened(Filled()), app.opened(Filled())
            await app.push_screen(lower)
            await pilot.pause(0.1)
            whole = [(y, 0, 40) for y in range(12)]
            assert app.painted == [(lower, whole)]
            assert lower.query_one("#said").size.height == 2
            await app.push_screen(upper)
            await pilot.pause(0.1)
            assert app.painted[1:] == [(upper, whole)]
            await app.pop_screen()
            await pilot.pause(0.1)
            assert app.painted[2:] == [(lower, whole)]

    run(test())


def test_of_a_dialog_nothing_but_itself_is_painted_and_of_the_screen_below_the_lines_it_hid() -> None:
    async def test() -> None:
        app = Switching()
        async with running(app, size=(40, 12)) as pilot:
            lower, dialog = app.opened(Filled()), app.opened(FilledDialog())
            await app.push_screen(lower)
            await pilot.pause(0.1)
            await app.push_screen(dialog)
            await pilot.pause(0.1)
            assert app.painted[1:] == [(dialog, [(0, 0, 20), (1, 0, 20)])]
            await app.pop_screen()
            await pilot.pause(0.1)
            assert app.painted[2:] == [(lower, [(0, 0, 40), (1, 0, 40)])]

    run(test())


def test_all_is_painted_below_a_dialog_where_pictures_are_graphics_or_the_window_or_the_theme_changed() -> (
    None
):
    async def test() -> None:
        app = Switching()
        async with running(app, size=(40, 12)) as pilot:
            for change in ("graphics", "window", "theme"):
                lower, dialog = app.opened(Filled()), app.opened(FilledDialog())
                await app.push_screen(lower)
                await app.push_screen(dialog)
                await pilot.pause(0.1)
                if change == "graphics":
                    app.pictures_are_text = False
                elif change == "window":
                    await pilot.resize_terminal(40, 14)
                    await pilot.pause(0.1)
                    lower._compositor.size = Size(40, 12)  # as if it had not heard of it
                else:
                    app.theme = "nord"
                    await pilot.pause(0.1)
                app.painted.clear()
                await app.pop_screen()
                await pilot.pause(0.1)
                assert app.painted[0][0] is lower and len(app.painted[0][1]) >= 12, change
                app.pictures_are_text = True
                await app.pop_screen()

    run(test())


def test_a_screen_waits_for_what_fills_it_but_not_for_long() -> None:
    class Reading(Filled):
        def fills(self) -> bool:
            return True

    async def test() -> None:
        app = Switching()
        async with running(app, size=(40, 12)) as pilot:
            await app.push_screen(app.opened(Reading()))
            await pilot.pause(private.LONGEST_FILL_S + 0.2)
            assert len(app.painted) == 1

    run(test())


def test_a_notice_takes_the_place_of_a_screen() -> None:
    update = private.NoticeUpdate("Two words", 12, 3)
    assert update.render_segments(App[None]().console) == "\x1b[0m\x1b[2J\x1b[2;2HTwo words"


def test_an_app_parses_its_css_once_when_it_starts_and_again_for_another_theme() -> None:
    parsed: list[str] = []

    class Themed(private.SwitchingApp[None]):
        def __init__(self) -> None:
            super().__init__()
            self.theme = "nord"
            self.stylesheet.set_variables(self.get_css_variables())
            self.stylesheet.reparse = lambda: parsed.append(self.theme)  # type: ignore[method-assign]

    async def test() -> None:
        async with running(Themed()) as pilot:
            assert parsed == []
            pilot.app.theme = "gruvbox"
            await pilot.pause()
            assert parsed == ["gruvbox"]

    run(test())
