"""Mistakes of users: one sentence and exit code 2 or 3 for a run; broken files are skipped and named."""

import re
import shutil
from pathlib import Path

import pytest
from cli_support import Answer, Mia
from disc_support import draw_disc
from image_support import huge_png
from PIL import Image
from run_support import on_small_disk
from training_commands import assert_refused, runs_of, train

from mia_tui.paths import StateFolder

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


# A whole run


WITH_A_FOLDER = [
    ("train",),
    ("evaluate", "--run", "last"),
    ("predict", ".", "--run", "last", "--out", "p.csv", "--dataset"),
    ("labels", "stats"),
]


@pytest.mark.parametrize("words", WITH_A_FOLDER)
def test_a_missing_folder_is_reported(mia: Mia, tmp_path: Path, words: tuple[str, ...]) -> None:
    answer = mia(*words, tmp_path / "nowhere")
    assert_refused(answer, 3, f"There is no folder {tmp_path / 'nowhere'}")


def test_missing_images_may_be_a_file_or_a_folder(mia: Mia, tmp_path: Path) -> None:
    answer = mia("predict", tmp_path / "nowhere", "--run", "last", "--out", "p.csv")
    assert_refused(answer, 3, f"There is no file or folder {tmp_path / 'nowhere'}")


def test_a_file_in_place_of_a_folder_is_reported(mia: Mia, discs: Path) -> None:
    assert_refused(train(mia, discs / "red" / "cell-1.png"), 3, "is a file", "Name the folder")


def test_an_empty_folder_is_reported_with_the_kinds_of_images(mia: Mia, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert_refused(train(mia, tmp_path / "empty"), 3, str(tmp_path / "empty"), "png", "tiff")
    assert not (tmp_path / "empty.mia").exists() and not list((tmp_path / "empty").iterdir())


def test_one_class_only_is_reported(mia: Mia, discs: Path) -> None:
    shutil.rmtree(discs / "blue")
    answer = train(mia, discs, "--labels", "folders")
    assert_refused(answer, 3, "one class, red", "at least two classes")


def test_images_without_labels_are_refused_with_ways_to_label_them(mia: Mia, discs: Path) -> None:
    for path in list(discs.rglob("*.png")):
        path.rename(discs / f"{path.parent.name}-{path.name}")
    assert_refused(train(mia, discs), 3, str(discs), "mia-tui labels import")


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        ("resnet81", ("resnet81", "Did you mean", "resnet18")),
        ("mobilnetv2", ("mobilnetv2", "mobilenetv2")),
        ("timm:resnet18x", ("resnet18x", "Did you mean timm:resnet18")),
    ],
)
def test_an_unknown_backbone_is_answered_with_the_nearest(
    mia: Mia, discs: Path, backbone: str, words: tuple[str, ...]
) -> None:
    assert_refused(train(mia, discs, backbone=backbone), 2, *words)


def test_an_input_too_small_for_a_backbone_is_reported_with_the_least(mia: Mia, discs: Path) -> None:
    answer = train(mia, discs, backbone="inceptionv3")
    assert_refused(answer, 2, "--size 32 is too small for inceptionv3", "at least 75 pixels")
    assert not runs_of(discs)


def test_an_input_too_small_for_another_model_of_timm_is_reported_too(mia: Mia, discs: Path) -> None:
    assert_refused(train(mia, discs, "--size", 8, backbone="timm:vgg11"), 2, "timm:vgg11", "8")


def test_a_checkpoint_whose_classes_are_none_of_the_datasets_is_reported_with_both(
    mia: Mia, discs: Path, tmp_path: Path
) -> None:
    assert train(mia, discs).code == 0
    cats = tmp_path / "cats"
    for index in range(2):
        for name in ("cat", "dog"):
            draw_disc(cats / name, f"{index}.png", size_px=40, red=True, seed=index)
    answer = mia("evaluate", cats, "--run", runs_of(discs)[0].path)
    lines = answer.err.splitlines()
    assert (answer.code, len(lines)) == (3, 1), answer.err
    assert all(word in lines[0] for word in ("blue", "red", "cat", "dog", "matched by their names"))


@pytest.mark.parametrize(
    "content", [b"not a database, not at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_corrupt_labels_db_is_reported_and_left_as_it_is(mia: Mia, discs: Path, content: bytes) -> None:
    state = StateFolder(discs.with_name("discs.mia"))
    state.root.mkdir()
    state.labels_db.write_bytes(content)
    assert_refused(train(mia, discs), 3, str(state.labels_db), "is damaged")
    assert_refused(mia("labels", "stats", discs), 3, str(state.labels_db), "is damaged")
    assert state.labels_db.read_bytes() == content


ON_A_DISK = """
from pathlib import Path
from mia_tui.cli.main import command
from mia_tui.cli.output.report import run
disk, words = Path(sys.argv[1]), sys.argv[2:]
if words[0] == "fill":
    del words[0]
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
sys.stderr = sys.stdout
print("code", run(lambda: command.main(words, prog_name="mia-tui", standalone_mode=False)))
"""


def test_a_full_disk_is_reported_before_anything_is_trained(discs: Path, tmp_path: Path) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        ON_A_DISK,
        tmp_path / "disk",
        "fill",
        "train",
        discs,
        "--state",
        tmp_path / "disk" / "s",
    )
    *_, sentence, code = said.splitlines()
    assert code in ("code 2", "code 3")
    assert sentence.startswith("The disk that holds ") and "is full" in sentence
    assert "--state DIR" in sentence and "Traceback" not in said


def test_a_disk_that_fills_up_between_labels_and_run_is_reported(discs: Path, tmp_path: Path) -> None:
    """The split fits, the folder of the run does not."""
    said = on_small_disk(
        tmp_path / "disk",
        ON_A_DISK,
        tmp_path / "disk",
        *("train", discs, "--state", tmp_path / "disk"),
        options="size=1m,nr_inodes=5",  # the disk itself, labels.db, its journal, the folder of runs, of the run
    )
    *_, sentence, code = said.splitlines()
    assert code in ("code 2", "code 3")
    assert "is full" in sentence and "--state DIR" in sentence and "Traceback" not in said


@pytest.mark.parametrize("below", ["", "state"])
def test_a_state_folder_on_a_read_only_disk_is_reported(discs: Path, tmp_path: Path, below: str) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        ON_A_DISK,
        tmp_path / "disk",
        *("train", discs, "--state", tmp_path / "disk" / below),
        finally_='mount -o remount,ro "$0"',
    )
    *_, sentence, code = said.splitlines()
    assert code in ("code 2", "code 3"), said
    assert str(tmp_path / "disk") in sentence and "--state DIR" in sentence and "Traceback" not in said


def test_a_file_in_place_of_the_state_folder_is_reported(mia: Mia, discs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert_refused(train(mia, discs, "--state", tmp_path / "file"), 2, "--state", "is a file")
    answer = train(mia, discs, "--state", tmp_path / "file" / "below")
    assert answer.code in (2, 3)
    assert_refused(answer, answer.code, str(tmp_path / "file"))


def test_weights_that_are_cut_short_or_of_another_network_are_refused(
    mia: Mia, discs: Path, tmp_path: Path
) -> None:
    assert train(mia, discs).code == 0
    good = runs_of(discs)[0].best_weights
    short = tmp_path / "short.safetensors"
    short.write_bytes(good.read_bytes()[:5000])
    assert_refused(train(mia, discs, "--weights", short), 2, "short.safetensors", "cut short")
    answer = train(mia, discs, "--weights", good, backbone="timm:test_efficientnet")
    assert_refused(answer, 2, "best.safetensors", "timm:test_efficientnet")
    assert_refused(train(mia, discs, "--weights", tmp_path / "none.pth"), 2, "none.pth")
    assert_refused(mia("predict", discs, "--run", short, "--out", tmp_path / "p.csv"), 3, "is damaged")


def test_a_run_that_is_none_is_reported(mia: Mia, discs: Path, tmp_path: Path) -> None:
    assert_refused(mia("predict", discs, "--run", "zzz", "--out", tmp_path / "p.csv"), 2, "zzz")
    assert_refused(mia("predict", discs, "--run", discs, "--out", tmp_path / "p.csv"), 1, "is not a run")
    assert_refused(train(mia, discs, "--resume", "last"), 2, "keeps its settings")
    assert_refused(mia("train", discs, "--resume", "last"), 2, "There is no run")
    assert_refused(mia("train"), 2, "mia-tui train DATASET")


# A few files


def test_broken_files_are_skipped_counted_and_named(mia: Mia, discs: Path) -> None:
    red = sorted((discs / "red").iterdir())
    red[0].write_bytes(red[0].read_bytes()[:-300])  # truncated
    red[1].write_bytes(b"")
    red[2].write_bytes(b"This is a letter to my aunt.")
    red[3].write_bytes(huge_png(20_000, 10_000))
    red[4].write_bytes(red[4].read_bytes()[:40])
    red[5].write_bytes(b"\x89PNG\r\n\x1a\n")
    answer = train(mia, discs)
    assert answer.code == 0, answer.err
    # Those that validate are read before the first step, the others in the first epoch.
    *warnings, in_the_end = (line for line in answer.err.splitlines() if "left out" in line)
    assert "6 images were left out of epoch 1" in in_the_end
    counts = [re.match(r"Warning: (\d) images? (?:are|is) left out", line) for line in warnings]
    assert sum(int(count[1]) for count in counts if count is not None) == 6
    assert sum(any(path.name in line for line in warnings) for path in red) == 6
    assert sum(f"red/{red[0].name} is cut short or damaged" in line for line in warnings) == 1

    out = discs.with_name("p.csv")
    answer = mia("predict", discs, "--run", runs_of(discs)[0].path, "--out", out)
    assert answer.code == 0
    assert "6 images could not be read and are left out" in answer.err and "and 1 more" in answer.err
    assert len(out.read_text().splitlines()) == 1 + 36 - 6

    answer = mia("evaluate", discs, "--run", runs_of(discs)[0].path, "--split", "all")
    assert answer.code == 0
    assert "6 images could not be read and are left out" in answer.err
    assert "\n30 images:\n" in answer.out


def test_the_limit_of_megapixels_is_reported_and_can_be_changed(mia: Mia, discs: Path) -> None:
    large = discs / "red" / "cell-1.png"
    large.write_bytes(huge_png(20_000, 10_000))
    answer = train(mia, discs)
    assert answer.code == 0
    assert "20,000 × 10,000 pixels (200.0 megapixels), the limit is 120" in answer.err
    Image.new("RGB", (80, 40)).save(large)
    assert "the limit is 0.002" in train(mia, discs, "--max-megapixels", 0.002).err
    run = runs_of(discs)[-1].path
    for words in (
        ("evaluate", discs, "--split", "all"),
        ("predict", discs, "--out", discs.with_name("p.csv")),
    ):
        assert "the limit is 0.002" in mia(*words, "--run", run).err
        assert mia(*words, "--run", run, "--max-megapixels", 0.004).err == _flattery(words)


def _flattery(words: tuple[object, ...]) -> str:
    if words[0] == "predict":
        return ""
    return "Warning: 29 of the 36 images were trained on: the metrics are too good.\n"


def test_a_class_without_a_readable_image_ends_the_run(mia: Mia, discs: Path) -> None:
    for path in (discs / "blue").iterdir():
        path.write_bytes(b"")
    answer = train(mia, discs)
    assert_refused(answer, 3, "No image of class blue is left")
    assert "12 images are left out" in answer.err and "and 7 more" in answer.err


def test_nothing_readable_to_predict_or_evaluate_is_reported(mia: Mia, discs: Path) -> None:
    assert train(mia, discs).code == 0
    for path in discs.rglob("*.png"):
        path.write_bytes(b"")
    run, out = runs_of(discs)[0].path, discs.with_name("p.csv")
    assert_refused(mia("predict", discs, "--run", run, "--out", out), 3, "None of the images can be read")
    assert not out.exists()
    answer = mia("evaluate", discs, "--run", run)
    assert_refused(answer, 3, "None of the labelled images", str(discs))


def test_a_wrong_suffix_on_a_readable_file_is_used(mia: Mia, discs: Path) -> None:
    path = discs / "red" / "cell-2.png"
    with Image.open(path) as image:
        image.convert("RGB").save(path, format="JPEG")
    answer: Answer = train(mia, discs)
    assert (answer.code, answer.err) == (0, "")
