"""How the app imports numpy."""

import gc
from pathlib import Path

import pytest
from run_support import run_python

from mia_tui.cli import open as module


def test_numpy_is_there_before_the_app_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order: list[str] = []
    monkeypatch.setattr(gc, "disable", lambda: None)
    monkeypatch.setattr(module, "require_terminal", lambda: None)
    monkeypatch.setattr(module, "_import_numpy", lambda: order.append("numpy"))
    monkeypatch.setattr("mia_tui.tui.start.open_app", lambda *_, **__: order.append("app"))
    module.open_dataset(tmp_path, state=None, annotator=None, graphics=None)
    assert order == ["numpy", "app"]


def test_numpy_comes_without_a_thread_for_each_core_and_what_the_app_starts_does_not_inherit_that() -> None:
    run_python("""
        import os
        from mia_tui.cli.open import _import_numpy
        os.environ.pop("OPENBLAS_NUM_THREADS", None)
        _import_numpy()
        assert "numpy" in sys.modules
        assert "OPENBLAS_NUM_THREADS" not in os.environ
        tasks = "/proc/self/task"
        assert not os.path.isdir(tasks) or len(os.listdir(tasks)) == 1
    """)


def test_a_number_of_threads_that_the_user_set_stays() -> None:
    run_python("""
        import os
        from mia_tui.cli.open import _import_numpy
        os.environ["OPENBLAS_NUM_THREADS"] = "2"
        _import_numpy()
        assert os.environ["OPENBLAS_NUM_THREADS"] == "2"
    """)
