"""`mia-tui predict` where something is changed, damaged or in the way between two attempts, or done twice."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_support import Answer, Mia
from disc_support import draw_disc
from run_support import as_nobody
from training_commands import assert_refused, predictions_of, runs_of, train

from mia_tui.engine.jobs import network
from mia_tui.engine.jobs import predict as job
from mia_tui.runs.prediction.predictions import PredictionRows, check_format, partial_path
from mia_tui.runs.record.job import RunNotes
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import WorkerLock

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture
def run(mia: Mia, discs: Path) -> RunDir:
    answer = train(mia, discs, "--lr", 0.003)
    assert answer.code == 0, answer.err
    return runs_of(discs)[0]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "p.csv"


def predict(mia: Mia, images: Path, run: RunDir, out: Path, *more: object) -> Answer:
    command = ("predict", images, "--run", run.path, "--out", out, "--batch-size", 4)
    return mia(*command, "--precision", "fp32", *more)


@pytest.fixture
def interrupted(
    mia: Mia, discs: Path, run: RunDir, out: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RunDir]:
    """Begins a prediction that is interrupted after 20 of the 36 images."""
    append = PredictionRows.append

    def break_off(self: PredictionRows, rows: object) -> None:
        if self.path.read_bytes().count(b"\n") > 20:
            raise KeyboardInterrupt
        append(self, rows)  # type: ignore[arg-type]

    def begin(*more: object) -> RunDir:
        with monkeypatch.context() as patch:
            patch.setattr(job, "_LEAST_ROWS", 4)
            patch.setattr(PredictionRows, "append", break_off)
            assert predict(mia, discs, run, out, *more).code == 130
        made = predictions_of(discs)[-1]
        assert len(made.rows.read_text().splitlines()) == 1 + 20
        return made

    return begin


def whole(mia: Mia, discs: Path, run: RunDir, tmp_path: Path) -> bytes:
    """The file that nothing interrupted."""
    file = tmp_path / "whole.csv"
    assert predict(mia, discs, run, file).code == 0
    return file.read_bytes()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a torn row": lambda rows: rows[:-20],
    "a zeroed page": lambda rows: rows[:600] + bytes(200) + rows[800:],
    "a row of another network": lambda rows: re.sub(rb"\[0[^]]*\]", b"[0.2,0.3,0.5]", rows),
    "a row twice": lambda rows: b"".join([*rows.splitlines(True), rows.splitlines(True)[3]]),
    "another heading": lambda rows: rows.replace(b'"tta":false', b'"tta":true', 1),
    "no heading": lambda rows: rows.partition(b"\n")[2],
    "a probability that is none": lambda rows: rows.replace(b"[0.", b"[7.", 1),
    "nothing": lambda rows: b"",
    "a line without end": lambda rows: rows + b"x" * 100_000,
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_rows_are_predicted_again(
    mia: Mia,
    discs: Path,
    run: RunDir,
    out: Path,
    tmp_path: Path,
    interrupted: Callable[..., RunDir],
    what: str,
) -> None:
    made = interrupted()
    made.rows.write_bytes(DAMAGE[what](made.rows.read_bytes()))
    made.listing.write_bytes(b"damaged as well")
    answer = predict(mia, discs, run, out)
    assert answer.code == 0, answer.err
    assert out.read_bytes() == whole(mia, discs, run, tmp_path)
    assert len(predictions_of(discs)) == 2


def test_images_that_came_went_or_were_renamed_since_are_predicted_as_they_are_now(
    mia: Mia, discs: Path, run: RunDir, out: Path, tmp_path: Path, interrupted: Callable[..., RunDir]
) -> None:
    interrupted()
    (discs / "blue" / "cell-0.png").unlink()
    (discs / "blue" / "cell-5.png").rename(discs / "red" / "cell-100.png")
    draw_disc(discs / "blue", "cell-7b.png", size_px=40, red=True, seed=5)
    assert predict(mia, discs, run, out).code == 0
    assert out.read_bytes() == whole(mia, discs, run, tmp_path)


def test_the_same_command_continues_in_a_dataset_that_was_moved(
    mia: Mia, discs: Path, run: RunDir, out: Path, interrupted: Callable[..., RunDir]
) -> None:
    made = interrupted()
    moved = discs.with_name("moved")
    discs.rename(moved)
    discs.with_name("discs.mia").rename(moved.with_name("moved.mia"))
    run = RunDir(moved.with_name("moved.mia") / "runs" / run.name)
    answer = predict(mia, moved, run, out)
    assert answer.code == 0 and "20 images are already predicted" in answer.out, answer.err
    assert [one.name for one in predictions_of(moved)] == [made.name]


def test_a_network_that_was_given_a_title_is_still_the_same(
    mia: Mia, discs: Path, run: RunDir, out: Path, interrupted: Callable[..., RunDir]
) -> None:
    interrupted()
    run.put_notes(RunNotes(title="the good one"))
    assert "20 images are already predicted" in predict(mia, discs, run, out).out


def test_another_number_of_threads_is_taken_when_a_prediction_continues(
    mia: Mia, discs: Path, run: RunDir, out: Path, interrupted: Callable[..., RunDir]
) -> None:
    made = interrupted("--threads", 1)
    answer = predict(mia, discs, run, out, "--threads", 2)
    assert "Computing on CPU, 2 threads" in answer.out and "already predicted" in answer.out
    assert made.job().threads == 2


def test_weights_that_were_replaced_begin_another_prediction_and_the_first_says_why_it_cannot_continue(
    mia: Mia, discs: Path, run: RunDir, out: Path, interrupted: Callable[..., RunDir]
) -> None:
    from mia_tui.worker import work

    made = interrupted()
    assert train(mia, discs, "--seed", 9).code == 0
    shutil.copy(runs_of(discs)[-1].best_weights, run.best_weights)
    error = work(made, foreground=False).error
    assert error is not None and "holds other weights than when this job was started" in str(error)
    answer = predict(mia, discs, run, out)
    assert answer.code == 0 and "already" not in answer.out
    assert len(predictions_of(discs)) == 2


def test_the_network_of_a_training_in_progress_is_the_one_that_was_loaded(
    mia: Mia, discs: Path, run: RunDir, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(mia, discs, "--seed", 9).code == 0
    better = runs_of(discs)[-1].best_weights
    loaded: list[str] = []

    class ReplacedWhileItIsLoaded(network.Predictor):
        def __init__(self, weights: Path, **settings: Any) -> None:
            super().__init__(weights, **settings)
            loaded.append(self.card.run)
            shutil.copy(better, weights)

    monkeypatch.setattr(network, "Predictor", ReplacedWhileItIsLoaded)
    with WorkerLock(run):
        answer = predict(mia, discs, run, out)
    assert answer.code == 0, answer.err
    assert loaded == [run.name, better.parent.parent.name]
    assert {line.rpartition(",")[2] for line in out.read_text().splitlines()[1:]} == {loaded[1]}


def test_two_of_the_same_command_at_once_are_one_prediction(
    mia: Mia, discs: Path, run: RunDir, out: Path, interrupted: Callable[..., RunDir]
) -> None:
    made = interrupted()
    with WorkerLock(made):
        answer = predict(mia, discs, run, out)
        assert_refused(answer, 1, f"The run {made.name} is making the same prediction", "runs follow")
    assert predict(mia, discs, run, out).code == 0
    assert predictions_of(discs) == [made]


def test_a_damaged_run_beside_it_is_not_in_the_way(
    mia: Mia, discs: Path, run: RunDir, out: Path, interrupted: Callable[..., RunDir]
) -> None:
    made = interrupted()
    for number, content in enumerate((b"", b"{", b'{"kind":"predict"}', b"[" * 100_000)):
        folder = made.path.with_name(f"29991231-2359-damaged-{number}")
        folder.mkdir()
        (folder / "job.json").write_bytes(content)
    assert "20 images are already predicted" in predict(mia, discs, run, out).out


def test_what_an_earlier_version_began_and_is_another_prediction_is_named(
    mia: Mia, discs: Path, run: RunDir, out: Path
) -> None:
    header = '{"images":"x","weights":"y","classes":[],"run":"z","tta":false,"max_megapixels":1.0}\n'
    partial_path(out).write_text(header)
    answer = predict(mia, discs, run, out)
    assert answer.code == 0
    assert f"{partial_path(out)} holds other predictions" in answer.err.replace("\n  ", " ")
    assert partial_path(out).read_text() == header


def test_a_result_whose_last_rows_are_gone_is_not_written_as_if_it_were_whole(
    mia: Mia, discs: Path, run: RunDir, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = job.write_result

    def cut_first(made: RunDir, *given: object, **more: object) -> object:
        made.rows.write_bytes(made.rows.read_bytes()[:-10])
        return write(made, *given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(job, "write_result", cut_first)
        assert_refused(predict(mia, discs, run, out), 3, "rows.jsonl is damaged", "predicted again")
    assert not out.exists()


def test_a_folder_that_may_not_be_written_is_refused_before_anything_is_predicted(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with (
        as_nobody(closed),
        pytest.raises(Exception, match="You may not write into the folder of --out"),
    ):
        check_format(closed / "p.csv")


def test_names_that_are_not_text_come_through_parts(mia: Mia, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    for index in range(6):
        draw_disc(odd / os.fsdecode(b"r\xf6t\n"), f"{index}.png", size_px=40, red=True, seed=index)
        draw_disc(odd / "blau;=1", f"a\n\t{index}.png", size_px=40, red=False, seed=index)
    assert train(mia, odd).code == 0
    [run] = runs_of(odd)
    parts, one = tmp_path / "parts.csv", tmp_path / "one.csv"
    assert predict(mia, odd, run, one).code == 0
    for number in (1, 2):
        assert predict(mia, odd, run, parts, "--shard", f"{number}/2").code == 0
    assert mia("predict", "--join", parts).code == 0
    assert parts.read_bytes() == one.read_bytes()
    assert b"r%F6t" in one.read_bytes()


@pytest.mark.parametrize(
    "more", [("images",), ("--run", "last"), ("--shard", "1/2"), ("--threads", 2), ("--tta",)]
)
def test_join_refuses_what_it_would_ignore(mia: Mia, out: Path, more: tuple[object, ...]) -> None:
    assert_refused(mia("predict", *more, "--join", out), 2, "--join takes nothing but the name of a file")
