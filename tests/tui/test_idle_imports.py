"""What other screens need is imported while nobody presses a key."""

import asyncio
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import pytest
from tui_support import make_context, run, running, wait_until

import mia_tui.tui
from mia_tui.tui.app import MiaApp
from mia_tui.tui.controller import idle_imports
from mia_tui.tui.textual_private import QuickScreen

AT_THE_START = ("mia_tui.tui.label.", "mia_tui.tui.screen", "mia_tui.tui.textual_private")


def subclasses(screen: type) -> set[type]:
    return {below for child in screen.__subclasses__() for below in (child, *subclasses(child))}


def test_what_is_imported_in_idle_time_exists_and_brings_no_torch() -> None:
    assert all(find_spec(name) is not None for name in idle_imports.PIECES)
    code = f"import sys; [__import__(name) for name in {idle_imports.PIECES!r}]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_all_screens_are_imported_in_idle_time() -> None:
    for module in pkgutil.walk_packages(mia_tui.tui.__path__, "mia_tui.tui."):
        import_module(module.name)
    modules = {
        screen.__module__ for screen in subclasses(QuickScreen) if screen.__module__.startswith("mia_tui.")
    }
    later = {name for name in modules if not name.startswith(AT_THE_START)}
    asked = {name for name in later if name.endswith(".pickers")}  # with the screens that ask
    assert later - asked <= set(idle_imports.PIECES)


def test_nothing_is_imported_while_somebody_presses_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr(idle_imports, "import_module", imported.append)
    is_idle = False

    async def test() -> None:
        nonlocal is_idle
        work = asyncio.create_task(idle_imports.import_screens(is_idle=lambda: is_idle))
        await asyncio.sleep(0.1)
        assert imported == []
        is_idle = True
        await work
        assert tuple(imported) == idle_imports.PIECES

    run(test())


def test_the_app_has_no_idle_time_before_there_is_something_to_see_nor_when_it_ends() -> None:
    async def test() -> None:
        app = MiaApp(make_context(), None)
        assert not app.screen_stack
        app._pressed_at = -1000.0
        assert not app._is_idle()
        async with running(app) as pilot:
            await wait_until(pilot, app._is_idle)
            app.screen._shown_in = ""
            assert not app._is_idle()

    run(test())
