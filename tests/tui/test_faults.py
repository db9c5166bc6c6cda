"""A fault of the app fails the test that runs it, wherever it was."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static
from textual.worker import WorkerFailed
from tui_support import make_context, run, running, wait_until

from mia_tui.tui.app import MiaApp


class PlainApp(App[int]):
    """An app of Textual's without what `MiaApp` adds, as some screens are tested in."""


class Unwell(Static):
    """Cannot be shown."""

    def compose(self) -> ComposeResult:
        raise ZeroDivisionError


def fail() -> None:
    raise ZeroDivisionError


async def fail_later() -> None:
    raise ZeroDivisionError


def in_a_thread(app: App[int]) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


FAULTS: dict[str, Callable[[App[int]], object]] = {
    "a handler": lambda app: app.call_later(fail),
    "a handler of a screen": lambda app: app.screen.call_later(fail),
    "a timer": lambda app: app.set_timer(0.001, fail),
    "a worker": lambda app: app.run_worker(fail_later()),
    "a worker in a thread": lambda app: app.run_worker(fail, thread=True),
    "a thread": in_a_thread,
    "a turn of the event loop": lambda app: asyncio.get_running_loop().call_soon(fail),
    "compose": lambda app: app.screen.mount(Unwell()),
}


def make_app(kind: type[App[int]]) -> App[int]:
    return MiaApp(make_context(), None) if kind is MiaApp else kind()


@pytest.mark.parametrize("kind", [MiaApp, PlainApp])
@pytest.mark.parametrize("place", FAULTS)
def test_a_fault_in_the_app_fails_its_test(kind: type[App[int]], place: str) -> None:
    async def test() -> None:
        async with running(make_app(kind)) as pilot:
            FAULTS[place](pilot.app)
            await asyncio.sleep(0.1)  # the test looks at nothing

    with pytest.raises((ZeroDivisionError, WorkerFailed)):
        run(test())


@pytest.mark.parametrize("kind", [MiaApp, PlainApp])
def test_an_app_that_ends_with_a_code_of_its_own_fails_its_test(kind: type[App[int]]) -> None:
    async def test() -> None:
        async with running(make_app(kind)) as pilot:
            pilot.app.exit(1, return_code=1)
            await asyncio.sleep(0.1)

    with pytest.raises(AssertionError, match="the app ended with 1"):
        run(test())


def test_what_a_test_finds_does_not_hide_the_fault_behind_it() -> None:
    async def test() -> None:
        async with running(make_app(MiaApp)) as pilot:
            pilot.app.call_later(fail)
            await asyncio.sleep(0.1)
            raise AssertionError("the screen is empty")

    with pytest.raises(ZeroDivisionError):
        run(test())


def test_an_app_that_is_well_passes_and_leaves_the_threads_to_others() -> None:
    before = threading.excepthook

    async def test(pilots: list[Pilot[Any]]) -> None:
        async with running(make_app(MiaApp)) as pilot:
            pilots.append(pilot)
            assert threading.excepthook is not before

    run(test(pilots := []))
    assert pilots[0].app.return_code in (None, 0)
    assert threading.excepthook is before


def test_a_fault_in_a_thread_ends_the_app() -> None:
    async def test() -> None:
        async with running(make_app(MiaApp)) as pilot:
            in_a_thread(pilot.app)
            await wait_until(pilot, lambda: not pilot.app.is_running)

    with pytest.raises(ZeroDivisionError):
        run(test())
