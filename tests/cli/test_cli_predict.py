"""`mia-tui predict`: rows in the order of the dataset, every probability, continued after an interruption."""

import csv
import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from cli_support import Answer, Mia
from disc_support import draw_disc
from PIL import Image
from training_commands import assert_refused, predictions_of, runs_of, train

from mia_tui.config.predict import DecisionRule
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import ConfigError
from mia_tui.paths import StateFolder, user_jobs
from mia_tui.runs import disk
from mia_tui.runs.list.find import list_runs as runs_in
from mia_tui.runs.prediction import create
from mia_tui.runs.prediction.listing import PredictionListing
from mia_tui.runs.prediction.predictions import PredictionRow, PredictionRows, make_header, partial_path
from mia_tui.runs.prediction.suggestions import read_newest, suggestion_sets
from mia_tui.runs.record.events import ResultSaved
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card
from mia_tui.runs.worker.control import StopRequest

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture
def run(mia: Mia, discs: Path) -> RunDir:
    answer = train(mia, discs, "--lr", 0.003)
    assert answer.code == 0, answer.err
    return runs_of(discs)[0]


def predict(mia: Mia, images: Path, run: RunDir, out: Path, *more: object) -> Answer:
    return mia("predict", images, "--run", run.path, "--out", out, "--precision", "fp32", *more)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_format_holds_the_same_rows_in_the_datasets_order(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    answers = [predict(mia, discs, run, tmp_path / f"p{kind}") for kind in (".csv", ".jsonl", ".parquet")]
    assert [(answer.code, answer.err) for answer in answers] == [(0, "")] * 3
    table = read_csv(tmp_path / "p.csv")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    columns = pq.read_table(tmp_path / "p.parquet")
    assert list(table[0]) == list(lines[0]) == columns.column_names
    assert list(table[0]) == ["file", "frame", "class", "probability", "p_blue", "p_red", "run"]
    files = [key.path for key in scan(discs).keys]
    assert files.index("blue/cell-2.png") < files.index("blue/cell-10.png")
    assert [row["file"] for row in table] == [row["file"] for row in lines] == files
    assert columns["file"].to_pylist() == files
    for row, line, share in zip(table, lines, columns["p_red"].to_pylist(), strict=True):
        assert row["class"] == line["class"] == max(("blue", "red"), key=lambda name: line[f"p_{name}"])
        assert line["p_blue"] + line["p_red"] == pytest.approx(1)
        assert line["probability"] == max(line["p_blue"], line["p_red"])
        assert float(row["p_red"]) == pytest.approx(line["p_red"], abs=1e-5) == pytest.approx(share, abs=1e-5)
        assert row["run"] == run.name
    assert not list(tmp_path.glob("*.partial*"))


def test_predictions_as_json_are_summed_up_in_one_object(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    answer = predict(mia, discs, run, tmp_path / "p.csv", "--json")
    record = json.loads(answer.out)
    assert record["out"] == str(tmp_path / "p.csv")
    assert (record["predicted"], record["skipped"]) == (36, 0)
    assert sum(record["classes"].values()) == 36


def test_a_format_that_is_added_is_written_and_shown_in_the_help(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.runs.prediction.formats import PREDICTION_FORMATS, PredictionFormat

    def write(file: BinaryIO, header: object, rows: Iterable[object]) -> None:
        file.write(b"\n".join(row.file.encode() for row in rows))  # type: ignore[attr-defined]

    monkeypatch.setitem(PREDICTION_FORMATS, ".names", PredictionFormat(write))
    assert ".names" in mia("predict", "--help").out
    assert predict(mia, discs, run, tmp_path / "p.names").code == 0
    assert len((tmp_path / "p.names").read_text().splitlines()) == 36
    assert ".names" in predict(mia, discs, run, tmp_path / "p.txt").err


@pytest.mark.parametrize("torn", ["", '{"file":"red/ce'])
def test_interrupted_predictions_are_continued(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: str
) -> None:
    from mia_tui.engine.inference.predict import Predictor
    from mia_tui.engine.jobs import predict as job

    monkeypatch.setattr(job, "_LEAST_ROWS", 4)
    whole, broken = tmp_path / "whole.csv", tmp_path / "broken.csv"
    predict(mia, discs, run, whole, "--batch-size", 4)
    real, asked = Predictor.predict, []

    def fail_at_twenty(self, root, keys, **options):
        for done, prediction in enumerate(real(self, root, keys, **options)):
            if done == 20 and not asked:
                raise KeyboardInterrupt
            yield prediction

    monkeypatch.setattr(Predictor, "predict", fail_at_twenty)
    answer = predict(mia, discs, run, broken, "--batch-size", 4)
    assert answer.code == 130
    assert not broken.exists()
    rows = predictions_of(discs)[-1].rows
    assert len(rows.read_text().splitlines()) == 1 + 20
    with rows.open("a") as file:
        file.write(torn)

    def count(self, root, keys, **options):
        keys = list(keys)
        asked.extend(keys)
        return real(self, root, keys, **options)

    monkeypatch.setattr(Predictor, "predict", count)
    answer = predict(mia, discs, run, broken, "--batch-size", 4)
    assert answer.code == 0
    assert re.search(r"Predicting all images \((fp32|bf16)\); 20 images are already predicted", answer.out)
    assert len(asked) == 16
    assert broken.read_bytes() == whole.read_bytes()
    assert len(predictions_of(discs)) == 2 and not rows.exists()


def test_a_prediction_that_is_stopped_from_another_computer_is_not_done(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StopRequest, "requested", lambda self: True)  # by its file, so without a signal
    answer = predict(mia, discs, run, tmp_path / "p.csv")
    assert answer.code == 143 and "Stopped" in answer.err and not (tmp_path / "p.csv").exists()


def test_the_partial_file_of_an_earlier_version_is_taken_over(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole.csv", tmp_path / "p.csv"
    predict(mia, discs, run, whole, "--batch-size", 1)
    [made] = predictions_of(discs)
    config = made.predict_job().config
    card = read_card(run.best_weights)
    header = make_header(str(discs), config, card, config.digest, rule=DecisionRule())
    rows = PredictionRows(partial_path(out), header, scan(discs).keys)
    first = read_csv(whole)[0]
    rows.append([PredictionRow(first["file"], 0, [float(first["p_blue"]), float(first["p_red"])])])
    answer = predict(mia, discs, run, out, "--batch-size", 1)
    assert answer.code == 0 and "1 image is already predicted" in answer.out
    assert out.read_bytes() == whole.read_bytes()
    assert not partial_path(out).exists()


class Blink:
    """Takes the images away when some were read; they come back while the command waits, or never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, images: Path, *, comes_back: bool) -> None:
        from mia_tui.engine.data import reader
        from mia_tui.runs import disk

        self.images, self.elsewhere, self.read = images, images.with_name("elsewhere"), 0
        self._decode, self._lock, wait_until = reader.decode_input, threading.Lock(), disk.wait_until_back

        def wait(*arguments: object) -> bool:
            threading.Timer(0.2, self.come_back).start()
            return wait_until(*arguments)  # type: ignore[arg-type]

        if comes_back:
            monkeypatch.setattr(disk, "wait_until_back", wait)
        monkeypatch.setattr(reader, "decode_input", self)
        monkeypatch.setattr(disk, "LOOK_EVERY_S", 0.02)
        monkeypatch.setattr(disk, "OUTAGE_S", 60.0 if comes_back else 0.1)

    def __call__(self, *arguments: object, **more: object) -> object:
        with self._lock:
            self.read += 1
            if self.read == 20:
                self.images.rename(self.elsewhere)
        return self._decode(*arguments, **more)

    def come_back(self) -> None:
        self.elsewhere.rename(self.images)


def test_images_that_are_away_for_a_moment_are_waited_for_and_said(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict(mia, discs, run, tmp_path / "whole.csv", "--batch-size", 4)
    Blink(monkeypatch, discs, comes_back=True)
    answer = predict(mia, discs, run, tmp_path / "p.csv", "--batch-size", 4)
    assert answer.code == 0
    assert f"Waiting for the images in {discs} to come back" in answer.out.replace("\n", " ")
    assert "A disk was away or did not answer" in answer.err and "left out" not in answer.err
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_images_that_stay_away_end_the_command_and_it_can_be_continued(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.engine.jobs import predict as job

    predict(mia, discs, run, tmp_path / "whole.csv", "--batch-size", 4)
    monkeypatch.setattr(job, "_LEAST_ROWS", 4)
    with monkeypatch.context() as patch:
        blink = Blink(patch, discs, comes_back=False)
        answer = predict(mia, discs, run, tmp_path / "p.csv", "--batch-size", 4)
    assert answer.code == 1 and not (tmp_path / "p.csv").exists()
    assert "have been away" in answer.err and "same command continues where it stopped" in answer.err.replace(
        "\n", " "
    )
    blink.come_back()
    answer = predict(mia, discs, run, tmp_path / "p.csv", "--batch-size", 4)
    assert answer.code == 0 and "already predicted" in answer.out
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_images_that_could_not_be_read_are_tried_again_when_predicting_continues(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.engine.jobs import predict as job

    out, gone = tmp_path / "p.csv", discs / "blue" / "cell-1.png"
    predict(mia, discs, run, tmp_path / "whole.csv", "--batch-size", 4)
    monkeypatch.setattr(job, "_LEAST_ROWS", 4)
    whole, append = gone.read_bytes(), PredictionRows.append

    def break_off(self: PredictionRows, rows: object) -> None:
        if self.path.stat().st_size > 1000:
            raise KeyboardInterrupt
        append(self, rows)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(PredictionRows, "append", break_off)
        gone.write_bytes(b"torn by a copy that is under way")
        assert predict(mia, discs, run, out, "--batch-size", 4).code == 130
    assert "problem" in predictions_of(discs)[-1].rows.read_text()
    gone.write_bytes(whole)
    answer = predict(mia, discs, run, out, "--batch-size", 4)
    assert answer.code == 0 and "left out" not in answer.err
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_a_folder_of_the_run_that_is_away_while_images_are_listed_and_at_the_end_is_waited_for(
    mia: Mia, discs: Path, run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.engine.jobs import predict as job

    (discs / "notes.xyz").write_text("of another kind")
    write_listing, write_result = job.write_listing, job.write_result
    away = {"write_listing", "write_result"}

    def fail_once(name: str) -> None:
        if name in away:
            away.remove(name)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    def list_at_second_try(path: Path, images: Iterable[ImageKey], **more: Any) -> PredictionListing:
        found = list(images)
        fail_once("write_listing")
        return write_listing(path, found, **more)

    def write_at_second_try(*args: Any, **more: Any) -> ResultSaved:
        fail_once("write_result")
        return write_result(*args, **more)

    monkeypatch.setattr(disk, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(job, "write_listing", list_at_second_try)
    monkeypatch.setattr(job, "write_result", write_at_second_try)
    answer = mia("predict", discs, "--run", run.path, "--precision", "fp32", "--json")
    assert answer.code == 0 and not away, answer.err
    assert json.loads(answer.out)["other_kinds"] == {".xyz": 1}


@pytest.mark.parametrize("other", [("--tta",), ("--max-megapixels", 5)])
def test_what_another_command_left_is_not_continued(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, other: tuple[object, ...]
) -> None:
    out = tmp_path / "p.csv"
    predict(mia, discs, run, out)
    before = read_csv(out)
    header = '{"images":"x","weights":"y","classes":[],"run":"z","tta":false,"max_megapixels":1.0}\n'
    row = '{"file":"blue/cell-0.png","frame":0,"probabilities":[0.25,0.75]}\n'
    partial_path(out).write_text(header + row)
    answer = predict(mia, discs, run, out, *other)
    assert answer.code == 0 and "already" not in answer.out
    assert len(read_csv(out)) == len(before)


def test_averaging_over_turns_is_the_same_for_a_turned_image(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    folder = tmp_path / "turned"
    draw_disc(folder, "0.png", size_px=32, red=True, seed=7)
    with Image.open(folder / "0.png") as image:
        image.transpose(Image.Transpose.ROTATE_90).save(folder / "1.png")
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "2.png")
    predict(mia, folder, run, tmp_path / "plain.csv")
    predict(mia, folder, run, tmp_path / "tta.csv", "--tta")
    plain, averaged = (
        [float(row["p_red"]) for row in read_csv(tmp_path / f"{n}.csv")] for n in ("plain", "tta")
    )
    assert averaged == pytest.approx([averaged[0]] * 3, abs=1e-4)
    assert plain != averaged


def test_folders_below_are_read_and_any_name_comes_back(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    deep = tmp_path / "images" / "a" / "b ,\n"
    draw_disc(deep, 'c "d".png', size_px=40, red=True, seed=1)
    raw = os.fsdecode(b"\xff%.png")
    shutil.copy(deep / 'c "d".png', tmp_path / "images" / raw)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    assert predict(mia, tmp_path / "images", run, tmp_path / "p.csv").code == 0
    assert [row["file"] for row in read_csv(tmp_path / "p.csv")] == ["%FF%25.png", 'a/b ,\n/c "d".png']


def test_a_single_file_and_every_page_of_a_stack_are_predicted(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    stack, out = tmp_path / "stack.tif", tmp_path / "p.csv"
    pages = [Image.open(discs / "red" / f"cell-{index}.png") for index in range(3)]
    pages[0].save(stack, save_all=True, append_images=pages[1:])
    assert predict(mia, stack, run, out).code == 0
    assert [(row["file"], row["frame"]) for row in read_csv(out)] == [("stack.tif", str(i)) for i in range(3)]
    stacked = [row["p_red"] for row in read_csv(out)]
    for index in range(3):
        assert predict(mia, discs / "red" / f"cell-{index}.png", run, out).code == 0
        (row,) = read_csv(out)
        assert (row["file"], row["frame"]) == (f"cell-{index}.png", "0")
        assert float(row["p_red"]) == pytest.approx(float(stacked[index]), abs=1e-4)


def test_a_weights_file_works_without_its_run(mia: Mia, discs: Path, run: RunDir, tmp_path: Path) -> None:
    alone = tmp_path / "net.safetensors"
    shutil.move(run.best_weights, alone)
    shutil.rmtree(run.path)
    answer = mia("predict", discs, "--run", alone, "--out", tmp_path / "p.csv")
    assert answer.code == 0
    assert len(read_csv(tmp_path / "p.csv")) == 36


def test_what_is_predicted_of_a_folder_that_is_no_dataset_leaves_nothing_in_it(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(discs, copy)
    assert mia("predict", copy, "--run", run.path).code == 0
    assert sorted(copy.parent.glob("copy*")) == [copy] and not (copy / "mia").exists()
    [made] = runs_in(user_jobs(copy))
    assert made.suggestions.exists()
    assert made.name in mia("runs", "list", copy).out


def test_a_folder_that_cannot_be_written_is_predicted_into_the_users_own_state(
    mia: Mia, discs: Path, run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = RunDir.create

    def refuse(state: StateFolder, *arguments: object, **more: object) -> RunDir:
        if state.root == run.path.parent.parent:
            raise ConfigError("This disk is read-only.")
        return create(state, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(RunDir, "create", refuse)
    assert mia("predict", discs, "--run", run.path).code == 0
    [made] = runs_in(user_jobs(discs))
    assert made.suggestions.exists()


def test_it_is_said_where_stacks_are_given_otherwise_than_in_the_training_or_are_not_shown(
    mia: Mia, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "stacks").mkdir()
    Image.new("RGB", (32, 32)).save(folder / "plain.png")
    pages = [Image.new("L", (32, 32), level) for level in (0, 99)]
    pages[0].save(folder / "stack.tif", save_all=True, append_images=pages[1:])
    answer = mia("predict", folder, "--run", run.path)
    assert (answer.code, answer.err) == (0, "")
    monkeypatch.setattr(create, "stacks_for", lambda *given: "whole")
    answer = mia("predict", folder, "--run", run.path)
    assert "1 stack is given as a whole to a network that was trained on single images" in answer.err
    assert "1 of them is of whole stacks, whose frames are labelled one by one here" in answer.err
    assert f"`mia-tui labels stacks {folder} whole` changes that" in answer.err
    assert mia("labels", "stacks", folder, "whole").code == 0
    assert "of whole stacks" not in mia("predict", folder, "--run", run.path).err


def test_without_out_the_predictions_are_suggestions_for_the_app(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    answer = mia("predict", discs, "--run", "last", "--precision", "fp32")
    assert (answer.code, answer.err) == (0, "")
    [made] = predictions_of(discs)
    assert f"36 suggestions in {made.suggestions}:" in answer.out
    assert answer.out.endswith(f"`mia-tui {discs}` shows them.\n")
    assert {path.name for path in made.predictions.iterdir()} == {"suggestions.jsonl", "probabilities.jsonl"}
    predict(mia, discs, run, tmp_path / "p.csv")
    newest = read_newest(suggestion_sets((StateFolder(run.path.parent.parent),), discs))
    assert newest is not None
    found = newest[1]
    assert (found.model, found.classes) == (run.name, ("blue", "red"))
    for key, best, confidence, row in zip(
        found.keys, found.best, found.confidences, read_csv(tmp_path / "p.csv"), strict=True
    ):
        assert (key.path, found.classes[best]) == (row["file"], row["class"])
        assert confidence == pytest.approx(float(row["probability"]), abs=1e-4)
    one = mia("predict", discs / "red" / "cell-0.png", "--run", run.path)
    assert_refused(one, 2, "cell-0.png is a file", "Name a file with --out.")


def test_a_weights_file_outside_of_a_run_suggests_as_well(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    alone = tmp_path / "net.safetensors"
    shutil.copy(run.best_weights, alone)
    assert mia("predict", discs, "--run", alone).code == 0
    [made] = predictions_of(discs)
    assert (made.predict_job().config.network, made.suggestions.exists()) == ("net", True)


@pytest.mark.parametrize(
    ("out", "words"),
    [("p.xlsx", (".csv, .jsonl, .parquet",)), ("no/p.csv", ("does not exist",)), ("d.csv", ("is a folder",))],
)
def test_a_file_that_cannot_be_made_is_reported_before_anything_is_predicted(
    mia: Mia, discs: Path, tmp_path: Path, out: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "d.csv").mkdir()
    assert_refused(mia("predict", discs, "--run", "last", "--out", tmp_path / out), 2, *words)


def test_files_of_other_kinds_are_reported_by_predict_and_by_train(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    (discs / "red" / "a.cr2").touch()
    answer = predict(mia, discs, run, tmp_path / "p.csv", "--json")
    assert "Warning: 1 file of another kind left out: 1 .cr2.\n" in answer.err
    assert json.loads(answer.out)["other_kinds"] == {".cr2": 1}
    trained = train(mia, discs, "--json")
    told = [json.loads(line) for line in trained.out.splitlines()]
    assert ("warning", "1 file of another kind left out: 1 .cr2.") in [
        (event["type"], event.get("message")) for event in told
    ]


@pytest.fixture
def knowing(mia: Mia, discs: Path) -> RunDir:
    """A run whose network says how far images are from its classes: its validation part is large enough."""
    answer = train(mia, discs, "--lr", 0.003, "--val-fraction", 0.5)
    assert answer.code == 0, answer.err
    return runs_of(discs)[0]


def test_every_format_has_the_score_of_a_network_that_knows_what_is_familiar(
    mia: Mia, discs: Path, knowing: RunDir, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    answers = [predict(mia, discs, knowing, tmp_path / f"p{kind}") for kind in (".csv", ".jsonl", ".parquet")]
    assert [(answer.code, answer.err) for answer in answers] == [(0, "")] * 3
    table = read_csv(tmp_path / "p.csv")
    assert list(table[0]) == ["file", "frame", "class", "probability", "p_blue", "p_red", "unfamiliar", "run"]
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    columns = pq.read_table(tmp_path / "p.parquet")
    scores = [line["unfamiliar"] for line in lines]
    assert all(score > 0 for score in scores) and len(set(scores)) > 3
    assert [float(row["unfamiliar"]) for row in table] == pytest.approx(scores, rel=1e-4)
    assert columns["unfamiliar"].to_pylist() == pytest.approx(scores, rel=1e-4)


def test_suggestions_carry_the_score(mia: Mia, discs: Path, knowing: RunDir) -> None:
    assert mia("predict", discs, "--run", knowing.path, "--precision", "fp32").code == 0
    found = read_newest(suggestion_sets([StateFolder(knowing.root)], discs))
    assert found is not None and found[1].unfamiliar is not None
    assert len(found[1].unfamiliar) == 36 and (found[1].unfamiliar > 0).all()


def test_rows_that_an_earlier_version_predicted_are_kept_without_a_score(
    mia: Mia, discs: Path, knowing: RunDir, tmp_path: Path
) -> None:
    whole, out = tmp_path / "whole.csv", tmp_path / "p.csv"
    predict(mia, discs, knowing, whole, "--batch-size", 1)
    [made] = predictions_of(discs)
    config = made.predict_job().config
    card = read_card(knowing.best_weights)
    header = make_header(str(discs), config, card, config.digest, rule=DecisionRule())
    rows = PredictionRows(partial_path(out), header, scan(discs).keys)
    first, *others = read_csv(whole)
    rows.append([PredictionRow(first["file"], 0, [float(first["p_blue"]), float(first["p_red"])])])
    answer = predict(mia, discs, knowing, out, "--batch-size", 1)
    assert answer.code == 0 and "1 image is already predicted" in answer.out
    assert read_csv(out) == [first | {"unfamiliar": ""}, *others]
