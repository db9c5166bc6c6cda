"""The app without a terminal: open a dataset, press keys, wait until everything is done, read the screen."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
from memory import an_app_has_ended
from patience import Patience
from PIL import Image
from textual.app import App
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import ModalScreen, Screen

import mia_tui.tui
from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Label
from mia_tui.terminal.model import Terminal
from mia_tui.tui.app import MiaApp
from mia_tui.tui.context import Context
from mia_tui.tui.controller import garbage
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.bindings import key_name
from mia_tui.tui.pictures.flow_control import ASK, FlowControl
from mia_tui.tui.widgets.ink import Ink

Value = TypeVar("Value")

SMALL = 80, 24
WAIT_S = 60.0
NEWS_WITHIN_S = 4 * 2.0
"""Promised are two seconds; the machine may be busy."""
LASTING = UserConfig(toast_s=600.0, live_suggestions=False)
"""Messages stay until a test has come to read them, and nothing is learned unless a test is about that."""
_CONTROLS = {"ctrl+u": "\x15"}

TERMINAL = Terminal(
    graphics="half", colours="true", cell_width_px=10, cell_height_px=20, cell_known=True, unicode=True
)


def run(test: Coroutine[Any, Any, Value]) -> Value:
    """Run a test that waits for the app."""
    return asyncio.run(test)


def make_context(terminal: Terminal = TERMINAL, *, user: UserConfig | None = None, **changes: Any) -> Context:
    """What screens share, on a terminal that is not there."""
    terminal = replace(terminal, **changes)
    return Context(terminal, Ink(terminal), FlowControl(), user or LASTING, None, "ann")


def make_images(folder: Path, count: int, *, classes: Sequence[str] = ()) -> Path:
    """A dataset of small images, with some classes if they are named, without a label."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"image-{number:03}.png")
    if classes:
        with LabelStore(folder / "mia" / "labels.db") as store:
            store.add_classes(classes)
    return folder


def labels_in(dataset: Path) -> dict[str, Label]:
    """Labels by path."""
    store = LabelStore.open_existing(dataset / "mia" / "labels.db")
    if store is None:
        return {}
    with store:
        return {key.path: label for key, label in store.labels().items()}


def without_fingerprint(dataset: Path) -> list[str]:
    """Labelled files that would not be known again after a renaming."""
    store = LabelStore.open_existing(dataset / "mia" / "labels.db")
    assert store is not None
    with store:
        return store.files_without_hash()[0]


def label(dataset: Path, name: str, paths: Sequence[str], *, annotator: str = "ann") -> None:
    """Put images into a class, as somebody else's program would."""
    with LabelStore(dataset / "mia" / "labels.db", annotator=annotator) as store:
        [wanted] = [image_class for image_class in store.classes() if image_class.name == name]
        store.set_labels([(ImageKey(path), wanted.id) for path in paths], source="person")


@asynccontextmanager
async def running(
    app: App[Value], *, size: tuple[int, int] = SMALL, notifications: bool = False
) -> AsyncIterator[Pilot[Value]]:
    """An app without a terminal; every test runs its app by this.

    A fault in it fails the test, wherever it was: on a screen, in a worker, a timer or a thread, in what the event
    loop was given to do, at its start or its end; and so does an app that ends with another code than 0.
    """
    faults: list[BaseException] = []

    def note(failure: threading.ExceptHookArgs | dict[str, Any]) -> None:
        error = failure.get("exception") if isinstance(failure, dict) else failure.exc_value
        if error is not None:
            faults.append(error)

    before, threading.excepthook = threading.excepthook, note
    thresholds = gc.get_threshold()
    asyncio.get_running_loop().set_exception_handler(lambda _, failure: note(failure))
    try:
        watching = app.watching_threads() if isinstance(app, MiaApp) else nullcontext()
        # The app expects its process to end with it: what it leaves out for good, here would never be given back.
        with watching, patch.object(garbage, "begin_afresh", garbage.begin), patch.object(gc, "freeze"):
            async with app.run_test(size=size, notifications=notifications) as pilot:
                yield pilot
    finally:
        threading.excepthook = before
        gc.set_threshold(*thresholds)
        an_app_has_ended()
        for fault in faults:
            raise fault
    assert app.return_code in (None, 0), f"the app ended with {app.return_code}"


@asynccontextmanager
async def opened(
    dataset: Path | None,
    *,
    size: tuple[int, int] = SMALL,
    context: Context | None = None,
    notifications: bool = False,
) -> AsyncIterator[Pilot[int]]:
    """The app with a dataset, once its images are found and everything is done."""
    app = MiaApp(context or make_context(), dataset)
    async with running(app, size=size, notifications=notifications) as pilot:
        await settle(pilot)
        yield pilot


@asynccontextmanager
async def shown(
    dataset: Path,
    make: Callable[[LabelController, Context], Screen[Any]],
    *,
    size: tuple[int, int] = SMALL,
    context: Context | None = None,
) -> AsyncIterator[Pilot[None]]:
    """One screen over a dataset whose images and labels are known."""
    context = context or make_context()
    controller = LabelController(dataset, state=None, annotator=context.annotator)
    found = list_images(dataset)
    assert found is not None
    controller.session.replace_listing(found.listing)

    async with running(OneScreen(context, controller, make), size=size) as pilot:
        await settle(pilot)
        yield pilot


class OneScreen(App[None]):
    """Shows one screen as the app would. `result` is what the screen ended with, `ended` whether it did.

    Args:
        context: What screens share.
        controller: The dataset; loaded at the start.
        make: Makes the screen.
    """

    CSS_PATH = Path(mia_tui.tui.__file__).with_name("app.tcss")
    HORIZONTAL_BREAKPOINTS = MiaApp.HORIZONTAL_BREAKPOINTS
    VERTICAL_BREAKPOINTS = MiaApp.VERTICAL_BREAKPOINTS

    def __init__(
        self,
        context: Context,
        controller: LabelController,
        make: Callable[[LabelController, Context], Screen[Any]],
    ) -> None:
        super().__init__()
        self.context, self.flow_control, self.controller, self._make = (
            context,
            context.flow_control,
            controller,
            make,
        )
        self.ended, self.result = False, None
        self.set_class(not context.ink.unicode, "-ascii", update=False)

    async def on_mount(self) -> None:
        await self.controller.load()
        self.push_screen(self._make(self.controller, self.context), self._end)

    def _end(self, result: Any) -> None:
        self.ended, self.result = True, result


def record_paints(app: App[Any]) -> list[str]:
    """From now on, what goes to the terminal, paint by paint; its questions are answered at once."""
    painted: list[str] = []

    def display(screen: Screen[Any], renderable: Any) -> None:
        if renderable is not None and app._batch_count == 0:
            painted.append(renderable.render_segments(app.console))
            for _ in range(painted[-1].count(ASK)):
                app.flow_control.answered()  # type: ignore[attr-defined]  # every app of ours has one

    def write(data: str) -> None:
        painted.append(data)
        for _ in range(data.count(ASK)):  # later, as from a terminal
            asyncio.get_running_loop().call_soon(app.flow_control.answered)  # type: ignore[attr-defined]

    app._display = display  # type: ignore[method-assign]
    app.write_terminal = write  # type: ignore[attr-defined]
    return painted


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until the scan is over, every command is obeyed and nothing is to be painted."""
    await wait_until(
        pilot,
        lambda: (
            _is_settled(pilot.app.screen)
            if isinstance(pilot.app.screen, ModalScreen)  # a command waits for its answer
            else all(map(_is_settled, pilot.app.screen_stack))
        ),
    )
    await pilot.pause()


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, and wait until they are obeyed: a dialog that they opened is there."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        await wait_until(pilot, lambda: _is_settled(pilot.app.screen))
    await pilot.pause()


async def burst(pilot: Pilot[Any], *keys: str) -> None:
    """Keys that come all at once, as over a slow connection."""
    for key in keys:
        name = key_name(key)
        pilot.app.post_message(Key(name, key if len(key) == 1 else _CONTROLS.get(name)))
    await pilot.pause()
    await settle(pilot)


async def type_text(pilot: Pilot[Any], text: str) -> None:
    """Type into the line that has the focus."""
    await pilot.press(*("space" if character == " " else key_name(character) for character in text))


async def wait_until(pilot: Pilot[Any], is_so: Callable[[], bool], *, timeout_s: float = WAIT_S) -> None:
    """Wait for something to be so; fails after so long on an idle machine, with what is on the screen."""
    patience = Patience(timeout_s)
    while not is_so():
        assert not patience.is_over(), f"waited in vain; the screen says\n{screen_text(pilot.app)}"
        await pilot.pause(0.01)


def screen_text(app: App[Any]) -> str:
    """What is on the screen, line by line, without styles."""
    return "\n".join(line.rstrip() for line in screen_lines(app))


def told(app: App[Any]) -> str:
    """All messages that are shown now, one after the other."""
    return " ".join(notification.message for notification in app._notifications)


def screen_lines(app: App[Any]) -> list[str]:
    """What is on the screen, each line in its full width."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def _is_settled(screen: Screen[Any]) -> bool:
    """Whether a screen has nothing to do: no command waits, nothing is looked for."""
    queue = getattr(screen, "queue", None) or getattr(screen, "_queue", None)
    is_looking = not getattr(screen, "idle", True)
    return (queue is None or queue.idle) and not is_looking


def luminance(colour: str) -> float:
    """The relative luminance of #rrggbb that WCAG defines."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast_of(one: str, other: str) -> float:
    """How well one colour is told from another by WCAG, computed apart from the app's own."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
