"""What would hurt a training is found before it starts."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from disc_support import draw_disc
from PIL import Image

from mia_tui.config.check import make_config
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.runs.machine.gpus import Gpu
from mia_tui.runs.preflight import images, machine
from mia_tui.runs.preflight.checks import CheckResult, check_start, without_label
from mia_tui.runs.preflight.images import CheckStopped
from mia_tui.runs.preflight.machine import checkpoint_bytes, is_busy
from mia_tui.runs.preflight.prepare import Prepared, prepare_training, read_dataset


def prepared(root: Path, **settings: object) -> Prepared:
    config = make_config(flags={"device": "cpu", **settings})
    return prepare_training(read_dataset(root), config, keep=False)


def words(checked: CheckResult) -> str:
    return " ".join(f"{finding.message} {finding.hint}" for finding in checked.findings)


def gpu(*, free: float = 1.0, load: int | None = 0) -> Gpu:
    return Gpu("GPU-1", "NVIDIA H100", 80_000_000_000, int(80e9 * free), load, "550")


@pytest.fixture(autouse=True)
def plain_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "detach_risk", lambda: None)
    monkeypatch.setattr(machine, "list_gpus", list)


def test_a_sound_dataset_has_no_findings_and_is_looked_at_whole(discs: Path) -> None:
    checked = check_start(prepared(discs))
    assert checked.findings == ()
    assert checked.is_whole
    assert checked.total == 36


def test_unreadable_and_one_toned_images_are_named(discs: Path) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"no image")
    Image.new("RGB", (300, 200), (7, 7, 7)).save(discs / "red" / "cell-1.png")
    said = words(check_start(prepared(discs)))
    assert "1 image cannot be read: red/cell-0.png" in said
    assert "1 image of one single tone: red/cell-1.png." in said


def slides(root: Path) -> Path:
    """Discs of two classes in names like slide3_7.png; twelve slides of four images."""
    for number in range(48):
        red = number % 2 == 0
        name = f"slide{number // 4}_{number}.png"
        draw_disc(root / ("red" if red else "blue"), name, size_px=40, red=red, seed=number)
    return root


def test_slides_that_are_trained_on_and_validated_on_are_said_with_the_option_that_keeps_them_together(
    tmp_path: Path,
) -> None:
    root = slides(tmp_path / "cells")
    said = words(check_start(prepared(root)))
    assert "File names look like 12 slides (such as slide0), and images of" in said
    assert "--group-by 'slide[0-9]+' keeps each slide in one part." in said
    assert "File names" not in words(check_start(prepared(root, group_by="slide[0-9]+")))
    assert "File names" not in words(check_start(prepared(root, val_fraction=0.0)))
    prepare_training(read_dataset(root), TrainConfig())
    said = words(check_start(prepared(root)))
    assert f"`mia-tui labels split {root} --new --group-by 'slide[0-9]+'` makes a split" in said


def test_images_of_another_depth_are_said(discs: Path) -> None:
    deep = np.arange(400, dtype=np.uint16).reshape(20, 20) * 100
    Image.fromarray(deep).save(discs / "red" / "deep.png")
    said = words(check_start(prepared(discs)))
    assert "different depth: 8-bit (36 images, such as" in said
    assert "16-bit (1 image, red/deep.png)" in said


def test_an_image_with_one_other_pixel_is_not_of_one_tone(discs: Path) -> None:
    pixels = np.full((300, 300, 3), 100, np.uint8)
    pixels[150, 150] = 101
    Image.fromarray(pixels).save(discs / "red" / "cell-1.png")
    assert "tone" not in words(check_start(prepared(discs)))


def test_copies_in_one_part_and_between_parts_are_told_apart(tmp_path: Path) -> None:
    root, other = tmp_path / "discs", tmp_path / "other"
    for index in range(12):
        draw_disc(root / "red", f"cell-{index}.png", size_px=40, red=True, seed=index)
        draw_disc(root / "blue", f"cell-{index}.png", size_px=40, red=False, seed=100 + index)
        draw_disc(other / "red", f"cell-{index}.png", size_px=40, red=True, seed=200 + index)
        draw_disc(other / "blue", f"cell-{index}.png", size_px=40, red=False, seed=300 + index)
    shutil.copy(root / "red" / "cell-0.png", root / "red" / "copy.png")
    inside = words(check_start(prepared(root)))
    assert "1 image is a copy of another in the same part: red/cell-0.png = red/copy.png." in inside
    shutil.copy(root / "blue" / "cell-3.png", other / "blue" / "same.png")
    leaking = words(check_start(prepared(root, val=str(other))))
    assert "1 image is both in the training part and in another" in leaking
    assert "blue/cell-3.png (train)" in leaking


def test_small_classes_and_those_that_nothing_validates_are_named(discs: Path) -> None:
    for index in range(3, 12):
        (discs / "blue" / f"cell-{index}.png").unlink()
    said = words(check_start(prepared(discs)))
    assert "1 class has fewer than 10 images to train on: blue (" in said
    assert "There is no validation part" in words(check_start(prepared(discs, val_fraction=0)))


def test_what_was_seen_is_remembered_until_the_file_changes(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"no image")
    first = check_start(prepared(discs))
    looked: list[Path] = []
    decode = images.decode_fitted
    monkeypatch.setattr(
        images,
        "decode_fitted",
        lambda path, *rest, **more: (looked.append(path), decode(path, *rest, **more))[1],
    )
    assert check_start(prepared(discs)).findings == first.findings
    assert looked == []
    draw_disc(discs / "red", "cell-0.png", size_px=40, red=True, seed=0)
    assert check_start(prepared(discs)).findings == ()
    assert [path.name for path in looked] == ["cell-0.png"]


def test_where_time_runs_out_it_says_how_many_were_looked_at(discs: Path) -> None:
    checked = check_start(prepared(discs), limit_s=0)
    assert (checked.checked, checked.total) == (0, 36)
    assert not checked.is_whole


def label_all_but(discs: Path, *names: str) -> Path:
    """The same images in one folder, with the class that their folder named as their label, but for some."""
    root = discs.parent / "labelled"
    root.mkdir()
    with LabelStore(root / "mia" / "labels.db") as store:
        for name in ("red", "blue"):
            wanted = store.add_class(name).id
            for file in sorted((discs / name).iterdir()):
                copy = root / f"{name}-{file.name}"
                shutil.copy(file, copy)
                if copy.name not in names:
                    store.set_labels([(ImageKey(copy.name), wanted)], source="person")
    return root


def test_images_without_a_label_are_opened_too_and_those_that_cannot_be_are_named(discs: Path) -> None:
    root = label_all_but(discs, "red-cell-0.png", "red-cell-1.png", "blue-cell-2.png")
    (root / "red-cell-1.png").write_bytes(b"no image")
    found = read_dataset(root)
    ready = prepare_training(found, make_config(flags={"device": "cpu"}), keep=False)
    others = without_label(found)
    assert sorted(others) == ["blue-cell-2.png", "red-cell-0.png", "red-cell-1.png"]
    checked = check_start(ready, others)
    assert "1 image without a label cannot be opened: red-cell-1.png is not an image" in words(checked)
    assert (checked.others_opened, checked.others) == (3, 3)
    assert (
        checked.scope
        == "Checked all 33 labelled images. Of 3 images without a label, 3 were opened, but not read to their end."
    )
    hasty = check_start(ready, others, others_limit_s=0)
    assert hasty.scope.endswith("Of 3 images without a label, 0 were opened, but not read to their end.")
    assert "without a label" not in check_start(prepared(discs)).scope


def test_nobody_has_to_wait_for_the_end(discs: Path) -> None:
    with pytest.raises(CheckStopped):
        check_start(prepared(discs), should_stop=lambda: True)


def test_progress_is_told(discs: Path) -> None:
    told: list[tuple[int, int]] = []
    check_start(prepared(discs), on_progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 36)


def test_a_disk_that_is_too_small_is_said_with_both_sizes(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_free_bytes", lambda folder: 100_000_000)
    said = words(check_start(prepared(discs)))
    assert "0.1 GB are free where the run will be stored, and its checkpoints need about 0.4 GB." in said
    assert "--state" in said


@pytest.mark.parametrize(
    ("settings", "copies"),
    [
        ({}, 8),
        ({"optimizer": "sgd"}, 6),
        ({"ema_decay": 0.9}, 10),
        ({"average_epochs": 3}, 10),
        ({"backbone": "timm:resnet10t"}, None),
    ],
)
def test_the_size_of_checkpoints_follows_from_network_optimizer_and_mean(
    settings: dict[str, object], copies: int | None
) -> None:
    expected = None if copies is None else 11_176_512 * 4 * copies
    assert checkpoint_bytes(TrainConfig(**settings)) == expected


@pytest.mark.parametrize(
    ("card", "busy"),
    [(gpu(), False), (gpu(free=0.4), True), (gpu(load=90), True), (gpu(load=None), False)],
)
def test_a_gpu_is_busy_by_its_load_or_its_memory(card: Gpu, busy: bool) -> None:
    assert is_busy(card) == busy


def test_busy_gpus_are_said_where_a_gpu_is_wanted(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "list_gpus", lambda: [gpu(free=0.1, load=97)])
    said = words(check_start(prepared(discs, device="auto")))
    assert "The GPU is busy: NVIDIA H100, 8.0 of 80.0 GB free, load 97 %." in said
    assert "busy" not in words(check_start(prepared(discs, device="cpu")))
    monkeypatch.setattr(machine, "list_gpus", lambda: [gpu(load=97), gpu()])
    assert "busy" not in words(check_start(prepared(discs, device="auto")))


def test_weights_that_must_be_fetched_are_said(discs: Path) -> None:
    assert "are not on this disk" in words(check_start(prepared(discs, weights="imagenet")))


def test_looking_ahead_writes_nothing_into_the_dataset(discs: Path) -> None:
    before = sorted(discs.parent.rglob("*"))
    check_start(prepared(discs))
    assert sorted(discs.parent.rglob("*")) == before
