"""`mia-tui rate`."""

import json
from pathlib import Path

import pytest
from cli_support import Mia

from mia_tui.config.settings_file import load_config

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")

SMALL = ("--backbone", "timm:test_resnet", "--size", "32", "--batch-size", "8", "--threads", "1")


def test_a_rate_is_suggested_drawn_and_saved_for_the_training(mia: Mia, discs: Path, tmp_path: Path) -> None:
    before = sorted(path for path in tmp_path.rglob("*") if "discs" in path.name)
    file = tmp_path / "found.toml"
    said = mia("rate", discs, *SMALL, "--steps", 40, "--first", 1e-5, "--save", file)
    assert said.code == 0, said.err
    rate = float(said.out.partition("--lr ")[2].partition(",")[0])
    assert 1e-5 < rate < 1.0
    assert "in the middle of the longest stretch" in said.out and "▲" in said.out
    assert load_config(file)["lr"] == rate
    assert load_config(file)["backbone"] == "timm:test_resnet"
    assert before == sorted(path for path in tmp_path.rglob("*") if "discs" in path.name)  # no run, no split


def test_as_json_it_has_all_steps(mia: Mia, discs: Path) -> None:
    said = mia("rate", discs, *SMALL, "--steps", 20, "--last", 1e-3, "--json")
    record = json.loads(said.out)
    assert list(record) == ["suggestion", "rule", "default", "rates", "losses", "smoothed", "diverged"]
    assert len(record["rates"]) == len(record["losses"]) == len(record["smoothed"]) == 20
    assert record["rates"][0] == pytest.approx(1e-7) and record["rates"][-1] == pytest.approx(1e-3)


def test_rates_that_do_not_rise_are_refused(mia: Mia, discs: Path) -> None:
    said = mia("rate", discs, "--first", 1, "--last", 0.1)
    assert said.code == 2 and "--first 1 is not below --last 0.1." in said.err
