"""What other screens need is imported while nobody presses a key."""

import asyncio
import subprocess
import sys
from importlib.util import find_spec

import pytest
from tui_support import run

from mia_tui.tui.controller import idle_imports


def test_what_is_imported_in_idle_time_exists_and_brings_no_torch() -> None:
    assert all(find_spec(name) is not None for name in idle_imports.PIECES)
    code = f"import sys; [__import__(name) for name in {idle_imports.PIECES!r}]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


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
