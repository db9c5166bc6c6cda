"""The app on a pty, ended after the test, a dataset for it, and processes that have imported torch."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_nursery import AppNursery
from screen_support import Open, make_dataset
from terminal_driver import TerminalApp, python_app
from worker_nursery import Nursery


@pytest.fixture(scope="package")
def app_nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppNursery]:
    """One for all modules here: to import the app takes longer than all that most tests do with it."""
    with AppNursery(tmp_path_factory.mktemp("app-nursery")) as nursery:
        yield nursery


@pytest.fixture
def start(tmp_path: Path, app_nursery: AppNursery) -> Iterator[Open]:
    """Opens the app on a pty; all of them are ended after the test.

    The app is forked from a process that has imported it; `really=True` starts it as a shell does, and so does every
    command that begins with another program than Python.
    """
    opened: list[TerminalApp] = []

    def open_app(
        *arguments: object, command: list[str] | None = None, really: bool = False, **terminal: object
    ) -> TerminalApp:
        command = command or python_app(*arguments)
        if not really and command[0] == sys.executable:
            terminal["start"] = app_nursery.start
        options = {"home": tmp_path / "home", **terminal}
        opened.append(TerminalApp(command, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield open_app
    for app in opened:
        app.kill()
        app.hang_up()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A dataset of 30 small images and two classes, without a label."""
    return make_dataset(tmp_path / "images", 30)


@pytest.fixture(scope="package")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """One for all modules here: it takes three seconds to start."""
    with Nursery(tmp_path_factory.mktemp("nursery")) as nursery:
        yield nursery
