"""Finding a learning rate from the form."""

import threading
from pathlib import Path

import numpy as np
import pytest
from test_train_screen import form, no_helpers, settle, text, to_field
from tui_support import press, run, told, wait_until

from mia_tui.analysis.rate_curve import RateCurve, rates_of
from mia_tui.errors import RunError
from mia_tui.runs.preflight import rate_search
from mia_tui.runs.preflight.rate_search import RateSearch
from mia_tui.tui.training import commands

__all__ = ["no_helpers"]  # a fixture for all tests here

CURVE = RateCurve(
    rates_of(1e-6, 1.0, 100), np.concatenate([np.full(40, 1.0), np.linspace(1.0, 0.2, 50), np.full(10, 5.0)])
)


def test_a_rate_that_is_found_is_in_the_form_with_its_curve(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def answer(self: RateSearch) -> RateCurve:
        asked.append(self._words)
        return CURVE

    monkeypatch.setattr(RateSearch, "do", answer)

    async def test() -> None:
        async with form(discs, size=(120, 40)) as pilot:
            await to_field(pilot, "lr")
            await press(pilot, "f4")
            await wait_until(pilot, lambda: "is in the form" in text(pilot))
            await settle(pilot)
            rate = CURVE.suggestion
            assert rate is not None
            assert pilot.app.screen.cursor.form.config.lr == float(f"{rate:.2g}")  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: "suggested" in text(pilot))
            assert asked[0][:2] == ["train", str(discs.absolute())]

    run(test())


def test_a_search_is_stopped_by_its_key_and_says_why_it_failed(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()

    def answer(self: RateSearch) -> RateCurve | None:
        if stopped.is_set():  # at the second time
            raise RunError("torch cannot be used.")
        stopped.wait(60)
        return None

    monkeypatch.setattr(RateSearch, "do", answer)
    monkeypatch.setattr(RateSearch, "stop", lambda self: stopped.set())
    monkeypatch.setattr(RateSearch, "said", "Learning rate: 7 of 100 steps")
    monkeypatch.setattr(commands, "_LOOK_S", 0.01)

    async def test() -> None:
        async with form(discs) as pilot:
            await press(pilot, "f4")
            await wait_until(pilot, lambda: "7 of 100 steps (F4 stops it)" in text(pilot))
            await press(pilot, "f4")
            await wait_until(pilot, lambda: "was stopped" in text(pilot))
            await wait_until(pilot, lambda: pilot.app.screen.commands._search is None)  # type: ignore[attr-defined]
            await press(pilot, "f4")
            await wait_until(pilot, lambda: "torch cannot be used" in told(pilot.app))

    run(test())


def test_the_process_is_asked_for_the_settings_and_its_last_sentence_is_said(
    discs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from mia_tui.config.train import TrainConfig

    found = b'{"rates": [0.1, 0.2], "losses": [1.5, "nan"], "smoothed": [], "suggestion": null}'
    curve = rate_search._curve_of(found)
    assert curve.rates.tolist() == [0.1, 0.2] and curve.has_diverged
    with pytest.raises(RunError, match="cannot be read"):
        rate_search._curve_of(b"{")
    search = RateSearch(TrainConfig(), tmp_path / "nothing", state=None, annotator=None)
    with pytest.raises(RunError, match="nothing"):
        search.do()
