"""`mia-tui predict --shard` and `--join`: the joined file is that of one process."""

from pathlib import Path

import pytest
from cli_support import Answer, Mia
from training_commands import assert_refused, predictions_of, runs_of, train

from mia_tui.runs.prediction.shards import of_shard, shard_file
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
def test_every_item_is_in_one_part_in_whole_batches(count: int) -> None:
    parts = [list(of_shard(range(37), 5, (number, count))) for number in range(1, count + 1)]
    assert sorted(item for part in parts for item in part) == list(range(37))
    assert parts[0][:5] == list(range(5))
    assert all(len(part) % 5 in (0, 2) for part in parts)


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
    predict(mia, discs, run, out, "--shard", "1/2")
    answer = predict(mia, discs, run, out, "--shard", "1/2")
    assert answer.code == 0 and "Part 1 of 2 is complete" in answer.out
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


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", "1/0"])
def test_an_impossible_part_is_refused(mia: Mia, discs: Path, out: Path, shard: str) -> None:
    answer = mia("predict", discs, "--run", "last", "--out", out, "--shard", shard)
    assert_refused(answer, 2, "is not a part such as 3/8")
