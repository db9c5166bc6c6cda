"""`mia-tui predict --shard` and `--join`: the joined file is that of one process."""

import json
import os
import re
import resource
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from cli_support import Answer, Mia
from training_commands import assert_refused, predictions_of, runs_of, train

from mia_tui.runs.prediction.shards import is_in_shard, shard_file, shard_size
from mia_tui.runs.record.layout import RunDir

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
    command = ("predict", images, "--run", run.path, "--out", out, "--batch-size", 5, "--threads", 1)
    return mia(*command, "--precision", "fp32", *more)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("total", [0, 1, 5, 37, 40])
def test_every_image_is_in_one_part_in_whole_batches(total: int, count: int) -> None:
    shards = [(number, count) for number in range(1, count + 1)]
    parts = [[place for place in range(total) if is_in_shard(place, 5, shard)] for shard in shards]
    assert sorted(place for part in parts for place in part) == list(range(total))
    assert parts[0][:5] == list(range(min(5, total)))
    assert sum(len(part) % 5 > 0 for part in parts) == (total % 5 > 0)
    assert [len(part) for part in parts] == [shard_size(total, 5, shard) for shard in shards]


@pytest.mark.parametrize("count", [1, 3, 10])
def test_joined_parts_are_the_file_of_one_process_to_the_byte(
    mia: Mia, discs: Path, run: RunDir, out: Path, tmp_path: Path, count: int
) -> None:
    (discs / "red" / "cell-3.png").write_bytes(b"torn")
    whole = tmp_path / "whole.csv"
    assert predict(mia, discs, run, whole).code == 0
    for number in range(count, 0, -1):
        answer = predict(mia, discs, run, out, "--shard", f"{number}/{count}")
        assert answer.code == 0, answer.err
        assert f"part {number} of {count}" in answer.out
    answer = mia("predict", "--join", out)
    assert (answer.code, "1 image could not be read" in answer.err) == (0, True)
    assert out.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("*shard*"))


def test_a_part_that_is_there_is_not_predicted_again_and_a_killed_one_is_continued(
    mia: Mia, discs: Path, run: RunDir, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.engine.inference.predict import Predictor
    from mia_tui.engine.jobs import predict as job

    predict(mia, discs, run, tmp_path / "whole.csv")
    made = json.loads(predict(mia, discs, run, out, "--shard", "1/2", "--json").out)
    answer = predict(mia, discs, run, out, "--shard", "1/2", "--json")
    assert answer.code == 0 and "Part 1 of 2 is complete" in answer.err
    assert made.items() >= json.loads(answer.out).items()
    monkeypatch.setattr(job, "_LEAST_ROWS", 1)
    real = Predictor.predict

    def die(self, root, keys, **options):  # type: ignore[no-untyped-def]
        for done, prediction in enumerate(real(self, root, keys, **options)):
            if done == 12:
                raise KeyboardInterrupt
            yield prediction

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "predict", die)
        assert predict(mia, discs, run, out, "--shard", "2/2").code == 130
    assert len(predictions_of(discs)[-1].rows.read_text().splitlines()) == 1 + 10
    answer = predict(mia, discs, run, out, "--shard", "2/2")
    assert "10 images are already predicted" in answer.out
    assert mia("predict", "--join", out).code == 0
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_cannot_be_joined_is_one_sentence_and_stays(
    mia: Mia, discs: Path, run: RunDir, out: Path, tmp_path: Path
) -> None:
    assert_refused(mia("predict", "--join", out), 2, "There are no parts of", "--shard 1/2")
    predict(mia, discs, run, out, "--shard", "1/3")
    assert_refused(mia("predict", "--join", out), 2, "these are missing: 2, 3", "--shard 2/3")
    for number in (2, 3):
        predict(mia, discs, run, out, "--shard", f"{number}/3")
    part = shard_file(out, (2, 3))
    good = part.read_bytes()
    for damaged in (b"", b"{}\n", good[:-5], good[:-40], good.replace(b'"frame":0', b'"frame":x', 1)):
        part.write_bytes(damaged)
        assert_refused(mia("predict", "--join", out), 3, f"{part} is cut off or damaged", "predict that part")
    part.write_bytes(good.replace(b'"tta":false', b'"tta":true', 1))
    assert_refused(mia("predict", "--join", out), 3, "are parts of different predictions")
    part.write_bytes(good)
    predict(mia, discs, run, out, "--shard", "1/2")
    assert_refused(mia("predict", "--join", out), 2, "divisions into 2 and 3", "Delete the wrong ones")
    assert len(list(tmp_path.glob("*shard*"))) == 4 and not out.exists()


# What somebody may have written into the first line of the second part.
ODD_HEADINGS = {
    "no part": ('"shard":2', '"shard":0'),
    "another part": ('"shard":2', '"shard":1'),
    "other parts": ('"of":2', '"of":3'),
    "far too many parts": ('"of":2', f'"of":{10**18}'),
    "batches of nothing": ('"batch_size":5', '"batch_size":0'),
    "other batches": ('"batch_size":5', '"batch_size":6'),
    "more images": ('"total":36', '"total":41'),
    "far too many images": ('"total":36', f'"total":{10**15}'),
    "no images": ('"total":36', '"total":0'),
    "another folder": ('"images":"', '"images":"0'),
    "another precision": ('"precision":"fp32"', '"precision":"bf16"'),
    "other frames": ('"frames":"first"', '"frames":"all"'),
    "a class too few": ('"classes":["blue","red"]', '"classes":["blue"]'),
}


@pytest.mark.parametrize("what", ODD_HEADINGS)
def test_a_part_with_an_odd_heading_is_refused_and_everything_stays(
    mia: Mia, discs: Path, run: RunDir, out: Path, what: str
) -> None:
    for number in (1, 2):
        predict(mia, discs, run, out, "--shard", f"{number}/2")
    part = shard_file(out, (2, 2))
    heading, _, rows = part.read_text().partition("\n")
    assert ODD_HEADINGS[what][0] in heading
    part.write_text(heading.replace(*ODD_HEADINGS[what]) + "\n" + rows)
    answer = mia("predict", "--join", out)
    assert answer.code == 3 and "Traceback" not in answer.err, answer.err
    assert re.search("damaged|different predictions|folder of images was changed", answer.err)
    assert shard_file(out, (1, 2)).exists() and part.exists() and not out.exists()


def test_a_part_of_images_that_were_changed_since_is_refused(
    mia: Mia, discs: Path, run: RunDir, out: Path
) -> None:
    predict(mia, discs, run, out, "--shard", "1/2")
    (discs / "red" / "cell-3.png").rename(discs / "red" / "cell-300.png")
    predict(mia, discs, run, out, "--shard", "2/2")
    assert_refused(mia("predict", "--join", out), 3, "The folder of images was changed between")


def test_one_part_under_the_names_of_two_is_refused(mia: Mia, discs: Path, run: RunDir, out: Path) -> None:
    predict(mia, discs, run, out, "--shard", "1/2")
    shutil.copy(shard_file(out, (1, 2)), shard_file(out, (2, 2)))
    assert_refused(mia("predict", "--join", out), 3, "is cut off or damaged")


@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a link"])
def test_something_else_in_the_place_of_a_part_is_neither_read_nor_waited_for(
    mia: Mia, discs: Path, run: RunDir, out: Path, tmp_path: Path, kind: str
) -> None:
    predict(mia, discs, run, out, "--shard", "1/2")
    part, private = shard_file(out, (2, 2)), tmp_path / "private"
    private.write_bytes(b"mine")
    if kind == "a folder":
        part.mkdir()
    elif kind == "a pipe":
        os.mkfifo(part)
    else:
        part.symlink_to(private)
    assert_refused(mia("predict", "--join", out), 3, str(part), "cannot be read")
    assert private.read_bytes() == b"mine" and not out.exists()


def test_names_of_parts_that_are_no_numbers_of_parts_are_ignored(mia: Mia, out: Path) -> None:
    for number in ("0", "01", "9" * 7, "9" * 5000):
        with suppress(OSError):  # a name that is too long for the disk
            out.with_name(f"{out.name}.shard-1-of-{number}.jsonl").touch()
    assert_refused(mia("predict", "--join", out), 2, "There are no parts of")
    out.with_name(f"{out.name}.shard-1-of-999999.jsonl").touch()
    assert_refused(mia("predict", "--join", out), 2, "these are missing: 2, 3, 4", "and 999,978 more")


def test_more_parts_than_files_can_be_open_are_joined(
    mia: Mia, discs: Path, run: RunDir, out: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.csv"
    predict(mia, discs, run, whole)
    predict(mia, discs, run, out, "--shard", "1/1")
    heading, *rows, _ = shard_file(out, (1, 1)).read_text().splitlines(keepends=True)
    shard_file(out, (1, 1)).unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = len(list(Path("/proc/self/fd").iterdir())) + 20
    for number in range(1, count + 1):
        own = rows[5 * (number - 1) : 5 * number]
        names = heading.replace('"of":1', f'"of":{count}').replace('"shard":1', f'"shard":{number}')
        shard_file(out, (number, count)).write_text(names + "".join(own) + f'{{"rows":{len(own)}}}\n')
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        assert mia("predict", "--join", out).code == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", "1/0"])
def test_an_impossible_part_is_refused(mia: Mia, discs: Path, out: Path, shard: str) -> None:
    answer = mia("predict", discs, "--run", "last", "--out", out, "--shard", shard)
    assert_refused(answer, 2, "is not a part such as 3/8")


def test_parts_carry_the_score_and_are_joined_with_those_of_an_earlier_version(
    mia: Mia, discs: Path, out: Path, tmp_path: Path
) -> None:
    answer = train(mia, discs, "--lr", 0.003, "--val-fraction", 0.5)
    assert answer.code == 0, answer.err
    run, whole = runs_of(discs)[0], tmp_path / "whole.csv"
    predict(mia, discs, run, whole)
    assert "unfamiliar" in whole.read_text().splitlines()[0]
    for number in (1, 2):
        assert predict(mia, discs, run, out, "--shard", f"{number}/2").code == 0
    first = shard_file(out, (1, 2))
    both = out.with_name("both.csv")
    for number in (1, 2):
        shutil.copy(shard_file(out, (number, 2)), shard_file(both, (number, 2)))
    assert mia("predict", "--join", both).code == 0
    assert both.read_bytes() == whole.read_bytes()
    lines = first.read_text().splitlines(keepends=True)
    old = [
        re.sub(
            r',"unfamiliar":[0-9.]+', "", line.replace('"unfamiliar":true,"rule":{}', '"unfamiliar":false')
        )
        for line in lines
    ]
    first.write_text("".join(old))
    assert '"unfamiliar":true' not in old[0] and old != lines
    assert "Part 1 of 2 is complete" in predict(mia, discs, run, out, "--shard", "1/2").out
    assert mia("predict", "--join", out).code == 0
    scores = [line.split(",")[-2] for line in out.read_text().splitlines()]
    assert scores.count("") == shard_size(36, 5, (1, 2)) and scores[0] == "unfamiliar"
