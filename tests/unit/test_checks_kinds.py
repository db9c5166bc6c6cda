"""Images that a network cannot be given alike are found before a training starts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from mia_tui.config.check import make_config
from mia_tui.runs.preflight.finding import CheckFinding
from mia_tui.runs.preflight.images import CheckStopped
from mia_tui.runs.preflight.kinds import unequal_kinds
from mia_tui.runs.record.job import Sample

Findings = Callable[..., list[CheckFinding]]


@pytest.fixture
def found_in(tmp_path: Path) -> Findings:
    def find(**settings: object) -> list[CheckFinding]:
        paths = sorted(path.name for path in tmp_path.iterdir())
        samples = [Sample(path=path, frame=0, class_index=0, split="train") for path in paths]
        return list(unequal_kinds(tmp_path, samples, make_config(flags=settings), limit_s=60))

    return find


def write(folder: Path, name: str, dtype: str = "uint16", channels: int = 1, **metadata: object) -> None:
    values = np.zeros((channels, 8, 8), dtype)
    about = {"axes": "CYX"} | metadata
    tifffile.imwrite(folder / f"{name}.ome.tif", values, photometric="minisblack", metadata=about)


def test_a_set_of_one_kind_has_no_findings(tmp_path: Path, found_in: Findings) -> None:
    for number in range(3):
        write(tmp_path, f"{number}", channels=2)
    assert found_in() == []


def test_a_set_that_mixes_8_and_16_bits_is_warned_of(tmp_path: Path, found_in: Findings) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    for number in range(2):
        write(tmp_path, f"{number}")
    (finding,) = found_in()
    assert finding.message == (
        "The images are of different depth: 16-bit (2 images, such as 0.ome.tif) and 8-bit (1 image, a.png)."
    )
    assert found_in(intensity="image") == []


def test_unequal_channels_are_warned_of(tmp_path: Path, found_in: Findings) -> None:
    for number in range(2):
        write(tmp_path, f"{number}", channels=3)
    write(tmp_path, "two", channels=2)
    write(tmp_path, "one")
    (finding,) = found_in()
    assert finding.message == (
        "The images have different channels: 3 channels (2 images, such as 0.ome.tif), "
        "grey or colour (1 image, one.ome.tif) and 2 channels (1 image, two.ome.tif)."
    )
    assert found_in(intensity="image") == []


def test_images_that_lack_a_channel_asked_for_are_named(tmp_path: Path, found_in: Findings) -> None:
    write(tmp_path, "a", channels=2, Channel={"Name": ["DAPI", "GFP"]})
    write(tmp_path, "b", channels=2, Channel={"Name": ["DAPI", "Cy5"]})
    (finding,) = found_in(channels="DAPI,GFP")
    assert finding.message == (
        "1 file lacks a channel that is asked for: b.ome.tif has no channel GFP, only DAPI, Cy5."
    )
    assert "leaves out such images" in finding.hint
    assert found_in(channels="DAPI") == []
    (finding,) = found_in(channels="FOO")
    assert "The run would have no images" in finding.hint


def test_images_without_pixel_size_are_named_where_it_is_needed(tmp_path: Path, found_in: Findings) -> None:
    write(tmp_path, "a", PhysicalSizeX=0.5, PhysicalSizeXUnit="µm", PhysicalSizeY=0.5, PhysicalSizeYUnit="µm")
    write(tmp_path, "b")
    (finding,) = found_in(pixel_size=0.5, width=32, height=32)
    assert finding.message == "1 image does not say how large a pixel is: b.ome.tif."
    assert found_in() == []


def test_images_of_which_the_network_sees_a_part_only_are_named(tmp_path: Path, found_in: Findings) -> None:
    sides = dict.fromkeys(("PhysicalSizeX", "PhysicalSizeY"), 2.5)
    write(tmp_path, "a", **sides, PhysicalSizeXUnit="µm", PhysicalSizeYUnit="µm")
    write(tmp_path, "b", PhysicalSizeX=0.5, PhysicalSizeXUnit="µm", PhysicalSizeY=0.5, PhysicalSizeYUnit="µm")
    (finding,) = found_in(pixel_size=0.5, width=32, height=32)
    assert finding.message == "1 image of 2 is larger than the input at 0.5 µm a pixel: a.ome.tif."
    assert "the largest would need 40 x 40 pixels" in finding.hint
    assert found_in(pixel_size=0.5, width=40, height=40) == []


def test_a_pixel_size_that_leaves_the_input_black_is_warned_of(tmp_path: Path, found_in: Findings) -> None:
    write(tmp_path, "a", PhysicalSizeX=0.5, PhysicalSizeXUnit="µm", PhysicalSizeY=0.5, PhysicalSizeYUnit="µm")
    (finding,) = found_in(pixel_size=2, width=64, height=64)
    assert finding.message == "At 2 µm a pixel no image is larger than 2 x 2 pixels."
    assert "The rest of the input of 64 x 64 pixels is black" in finding.hint


def test_unreadable_images_are_left_to_other_checks(tmp_path: Path, found_in: Findings) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    write(tmp_path, "b")
    assert found_in() == []


def test_looking_at_kinds_can_be_stopped_and_ends_in_time(tmp_path: Path) -> None:
    write(tmp_path, "a")
    samples = [Sample(path="a.ome.tif", frame=0, class_index=0, split="train")]
    config = make_config(flags={"pixel_size": 1.0})
    assert len(list(unequal_kinds(tmp_path, samples, config))) == 1
    assert list(unequal_kinds(tmp_path, samples, config, limit_s=-1)) == []
    with pytest.raises(CheckStopped):
        list(unequal_kinds(tmp_path, samples, config, should_stop=lambda: True))
