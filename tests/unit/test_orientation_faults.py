"""The orientation of an image whose Exif block, or whose drive, cannot be read."""

import errno
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from mia_tui.dataset.images.decode import decode
from mia_tui.errors import DecodeError


def test_a_drive_that_goes_away_while_the_orientation_is_read_is_not_taken_for_upright(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (8, 4), "red").save(tmp_path / "a.png")

    def gone(image: Image.Image) -> Image.Exif:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(PngImageFile, "getexif", gone)
    with pytest.raises(DecodeError, match="cannot be read: Input/output error"):
        decode(tmp_path / "a.png")
    monkeypatch.setattr(PngImageFile, "getexif", lambda image: {}["damaged"])
    assert decode(tmp_path / "a.png").shape == (4, 8, 3)
