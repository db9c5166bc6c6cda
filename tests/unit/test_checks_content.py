"""Sets with nothing to learn from are found by looking at few images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mia_tui.config.check import make_config
from mia_tui.runs.preflight import content, images
from mia_tui.runs.preflight.checks import check_start
from mia_tui.runs.preflight.content import without_content
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.job import Sample

CLASSES = ("blue", "red")
Draw = Callable[[int], np.ndarray]


def floats(value: float) -> Draw:
    return lambda index: np.full((40, 40), value, np.float32)


def one_tone(index: int) -> np.ndarray:
    return np.full((40, 40, 3), index % 50 * 5, np.uint8)


def all_the_same(index: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def noise(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 256, (40, 40, 3), dtype=np.uint8)


def nan_but_for_one_row(index: int) -> np.ndarray:
    pixels = np.full((40, 40), np.nan, np.float32)
    pixels[0] = np.random.default_rng(index).random(40)
    return pixels


def make_set(root: Path, blue: Draw, red: Draw, *, count: int = 20) -> list[Sample]:
    samples = []
    for number, draw in enumerate((blue, red)):
        folder = root / CLASSES[number]
        folder.mkdir(parents=True)
        for index in range(count):
            path = folder / f"{index}.tif"
            Image.fromarray(draw(index + 100 * number)).save(path)
            samples.append(Sample(str(path.relative_to(root)), number, "train"))
    return samples


def said(root: Path, samples: list[Sample], **more: object) -> str:
    found = without_content(root, samples, CLASSES, make_config(), **more)  # type: ignore[arg-type]
    return " ".join(finding.message for finding in found)


@pytest.mark.parametrize(
    ("blue", "red", "what"),
    [
        (floats(np.nan), floats(np.nan), "32 images that were checked hold no numbers, only NaN"),
        (floats(np.inf), floats(np.nan), "32 images that were checked hold no numbers, only NaN"),
        (one_tone, one_tone, "32 images that were checked are of one single tone."),
        (floats(0.5), floats(0.25), "32 images that were checked are of one single tone."),
        (floats(np.nan), one_tone, "are of one single tone or hold no numbers (NaN)."),
    ],
)
def test_a_set_with_nothing_in_its_images_is_said(tmp_path: Path, blue: Draw, red: Draw, what: str) -> None:
    words = said(tmp_path, make_set(tmp_path, blue, red))
    assert words.startswith("Nothing can be learnt from this set: all 32 ") and what in words


def test_a_class_with_nothing_in_its_images_is_said(tmp_path: Path) -> None:
    words = said(tmp_path, make_set(tmp_path, noise, floats(np.nan)))
    assert (
        words
        == "All 16 images of the class red that were checked hold no numbers, only NaN or infinite values."
    )


def test_a_set_of_one_picture_is_said(tmp_path: Path) -> None:
    words = said(tmp_path, make_set(tmp_path, all_the_same, all_the_same))
    assert words == "All 40 images that were checked are the same, pixel for pixel."


@pytest.mark.parametrize("draw", [noise, nan_but_for_one_row])
def test_a_sound_set_costs_a_look_at_an_image_of_each_class(
    tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, looked = make_set(tmp_path, draw, draw), []
    decode = images.decode_fitted
    monkeypatch.setattr(
        images,
        "decode_fitted",
        lambda path, *rest, **more: (looked.append(path), decode(path, *rest, **more))[1],
    )
    assert said(tmp_path, samples) == ""
    assert len(looked) == 2


def test_images_that_cannot_be_read_say_nothing_of_a_set(tmp_path: Path) -> None:
    samples = make_set(tmp_path, noise, noise, count=3)
    for sample in samples:
        (tmp_path / sample.path).write_bytes(b"no image")
    assert said(tmp_path, samples) == ""


def test_looking_ends_with_its_time(tmp_path: Path) -> None:
    samples = make_set(tmp_path, one_tone, one_tone, count=3)
    assert said(tmp_path, samples, limit_s=-1.0) == ""


def test_what_was_seen_before_is_not_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = make_set(tmp_path, one_tone, one_tone)
    monkeypatch.setattr(content, "fault_in", None)
    known = dict.fromkeys(range(40), images.ONE_TONE)
    assert "32 images that were checked are of one single tone" in said(tmp_path, samples, known=known)


def test_the_check_of_the_form_says_it_first(tmp_path: Path) -> None:
    make_set(tmp_path / "set", floats(np.nan), floats(np.nan))
    ready = prepare_training(read_dataset(tmp_path / "set"), make_config(flags={"device": "cpu"}), keep=False)
    findings = check_start(ready).findings
    assert findings[0].message.startswith("Nothing can be learnt from this set: all 32 images")
    assert "40 images without a number in them, only NaN" in findings[1].message
