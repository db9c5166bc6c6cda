"""`mia-tui features`."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia

from mia_tui.dataset.scan.incremental import list_images
from mia_tui.features.table import FeatureTable


def record(out: str) -> dict[str, object]:
    (line,) = out.splitlines()
    found: dict[str, object] = json.loads(line)
    return found


def test_features_are_made_once_and_told_as_json(
    mia: Mia, discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = record(mia("features", discs, "--json", "--threads", 1).out)
    assert list(made) == [
        "run",
        "network",
        "network_id",
        "dims",
        "images",
        "skipped",
        "bytes",
        "folder",
        "out",
    ]
    assert (made["images"], made["skipped"], made["dims"]) == (36, 0, 1568)
    assert Path(str(made["folder"])).is_dir() and Path(str(made["run"])).is_dir()
    monkeypatch.setattr("mia_tui.cli.features.work_in_front", None)  # nothing is left to do
    again = record(mia("features", discs, "--json").out)
    assert again == {**made, "run": None}
    assert "36 images have 1,568 features by efficientnetlite0" in mia("features", discs).out


def test_images_that_could_not_be_read_are_counted_each_time(mia: Mia, discs: Path) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"no image")
    first = mia("features", discs, "--threads", 1)
    assert "1 image could not be read and is left out: red/cell-0.png" in " ".join(first.err.split())
    again = mia("features", discs, "--json")
    assert record(again.out)["skipped"] == 1 and "1 image could not be read" in again.err


def test_the_list_and_the_view_of_runs_say_what_kind_it_is(mia: Mia, discs: Path) -> None:
    made = record(mia("features", discs, "--json", "--threads", 1).out)
    listed = mia("runs", "list", discs)
    assert listed.code == 0 and "features  finished  36/36" in listed.out
    shown = mia("runs", "show", made["run"]).out
    assert "Kind        feature job" in shown and "36 images have 1,568 features" in shown
    assert "Classes" not in shown
    assert mia("runs", "show", made["run"], "--json").code == 0
    assert mia("runs", "delete", made["run"], "--yes").code == 0
    assert FeatureTable.open(discs) is not None  # they are not the run's


def test_features_are_written_as_arrays_in_the_order_of_the_dataset(
    mia: Mia, discs: Path, tmp_path: Path
) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"no image")
    out = tmp_path / "features.npz"
    made = record(mia("features", discs, "--json", "--threads", 1, "--out", out).out)
    assert made["out"] == str(out)
    with np.load(out) as arrays:
        files, frames, features = arrays["files"].tolist(), arrays["frames"], arrays["features"]
    assert files == [*(f"blue/cell-{n}.png" for n in range(12)), *(f"red/cell-{n}.png" for n in range(1, 24))]
    assert frames.tolist() == [0] * 35 and features.shape == (35, 1568) and features.dtype == np.float16
    table, found = FeatureTable.open(discs), list_images(discs)
    assert table is not None and found is not None
    assert np.array_equal(features, table.rows(0, 99)[table.places(found.listing)][np.arange(36) != 12])
    assert "They are in" in mia("features", discs, "--out", out).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "There is no folder nowhere."),
        (["DISCS", "--network", "missing"], "missing"),
        (["DISCS", "--out", "features.csv"], "has no known ending. Use .npz"),
        (["DISCS", "--out", "no/such/features.npz"], "does not exist. Make it first."),
        (["DISCS", "--out", "features.npz", "--detach"], "Leave one of them out."),
        (["DISCS", "--device", "tpu"], "It takes auto, cpu, cuda, cuda:N or mps."),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    mia: Mia, discs: Path, words: list[str], said: str
) -> None:
    answer = mia("features", *(str(discs) if word == "DISCS" else word for word in words))
    assert answer.code != 0 and said in answer.err and "Traceback" not in answer.err
