"""The helper that augments images for the form: it runs what training runs, and ends with its parent."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from deep_support import write_deep
from msgspec.structs import replace
from run_support import wait_for

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.decode import decode_fitted
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.scaling import to_unit
from mia_tui.errors import DecodeError
from mia_tui.previewer import make_sheet
from mia_tui.runs.machine.system import process_runs, start_time
from mia_tui.runs.record.job import Sample
from mia_tui.runs.worker.preview_messages import PreviewImage, PreviewRequest, decode_request, encode_request
from mia_tui.tui.training.preview import Previewer

CONFIG = TrainConfig(width=32, height=32, rotate90=1.0, seed=7)


def request(root: Path, *names: str, config: TrainConfig = CONFIG, tile_px: int = 32) -> PreviewRequest:
    rows = tuple(PreviewImage(number + 5, name, 0) for number, name in enumerate(names))
    return PreviewRequest(config, str(root), rows, 3, tile_px)


def test_the_sheet_shows_each_image_as_it_is_and_as_the_first_epochs_train_on_it(discs: Path) -> None:
    names = ("red/cell-0.png", "blue/cell-1.png")
    sheet = make_sheet(request(discs, *names))
    assert sheet.shape == (65, 98, 3)
    for line, name in enumerate(names):
        plain = decode_fitted(discs / name, width=32, height=32)
        assert (sheet[33 * line : 33 * line + 32, :32] == plain).all()
        for epoch in (1, 2):
            batch = to_unit(torch.from_numpy(plain)[None].permute(0, 3, 1, 2))
            samples = torch.tensor([line + 5])
            seen = augment(batch, CONFIG, seed=7, epoch=epoch, samples=samples)[0].permute(1, 2, 0)
            expected = seen.mul(255).round().to(torch.uint8).numpy()
            tile = sheet[33 * line : 33 * line + 32, 33 * epoch : 33 * epoch + 32]
            assert (tile == expected).all()


def test_mixed_images_are_shown_with_the_next_one_of_the_sheet(discs: Path) -> None:
    still = {"flip_horizontal": 0.0, "flip_vertical": 0.0, "rotate90": 0.0}
    config = TrainConfig(width=32, height=32, seed=7, mixup=1.0, mixup_alpha=10.0, **still)  # type: ignore[arg-type]
    sheet = make_sheet(request(discs, "red/cell-0.png", "blue/cell-1.png", config=config)).astype(float)
    plain, other, shown = sheet[:32, :32], sheet[33:65, :32], sheet[:32, 33:65]
    blended = np.abs(plain - other) > 60
    share = ((shown - other) / np.where(blended, plain - other, 1))[blended]
    assert 0.5 <= share.mean() < 0.9 and share.std() < 0.02
    alone = replace(request(discs, "red/cell-0.png", "blue/cell-1.png", config=config), lines=1)
    assert (make_sheet(alone) == sheet[:32]).all()  # a sheet of one line has it, too


def test_large_and_mono_images_fit_their_tiles(discs: Path) -> None:
    config = TrainConfig(width=64, height=32, color=False)
    sheet = make_sheet(request(discs, "red/cell-0.png", config=config, tile_px=16))
    assert sheet.shape == (8, 3 * 16 + 2, 3)
    assert (sheet[..., 0] == sheet[..., 1]).all()


def test_deep_images_are_shown_as_bright_as_the_network_sees_them(tmp_path: Path) -> None:
    for gain in (1, 4):
        write_deep(
            tmp_path / f"{gain}.tif", np.full((40, 40), 1000 * gain, np.uint16) + np.eye(40, dtype=np.uint16)
        )
    config = TrainConfig(
        width=32, height=32, color=False, flip_horizontal=0.0, flip_vertical=0.0, rotate90=0.0
    )
    sheet = make_sheet(request(tmp_path, "1.tif", "4.tif", config=config))
    dark, bright = sheet[5, 20, 0], sheet[33 + 5, 20, 0]
    assert bright > 150 and dark < 100
    assert (sheet[:32, :32] == sheet[:32, 33:65]).all()


def test_many_channels_are_laid_over_each_other_in_colours(tmp_path: Path) -> None:
    pixels = np.zeros((5, 40, 40), np.uint16)
    pixels[0, :20], pixels[1, 20:] = 4000, 4000
    write_deep(tmp_path / "five.tif", pixels)
    config = TrainConfig(width=32, height=32, flip_horizontal=0.0, flip_vertical=0.0, rotate90=0.0)
    sheet = make_sheet(request(tmp_path, "five.tif", config=config))
    assert sheet.shape == (32, 98, 3)
    top, bottom = sheet[4, 4].tolist(), sheet[28, 4].tolist()
    assert top[0] > 100 > top[1] and bottom[1] > 100 > bottom[0]


def test_an_image_that_cannot_be_read_is_a_sentence(discs: Path) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"no image")
    with pytest.raises(DecodeError, match=r"cell-0\.png"):
        make_sheet(request(discs, "red/cell-0.png"))


def test_names_that_are_not_utf_8_come_through() -> None:
    odd = request(Path("/data/\udcff"), "a\udcfe%.png")
    assert decode_request(encode_request(odd)) == odd


def test_the_helper_answers_the_last_wish_and_ends_when_it_is_closed(discs: Path) -> None:
    sheets: list[np.ndarray | str] = []
    ready: list[bool] = []
    previewer = Previewer(sheets.append, lambda: ready.append(True))
    rows = [(0, Sample(path="red/cell-0.png", class_index=0, split="train"))]
    for flip in (0.0, 0.5, 1.0):
        config = TrainConfig(width=32, height=32, flip_horizontal=flip, flip_vertical=0.0, rotate90=0.0)
        previewer.want(config, discs, rows, 32)
    assert not ready  # nobody waited for torch
    wait_for(lambda: bool(sheets), timeout_s=60.0)
    assert ready
    sheet = sheets[-1]
    assert not isinstance(sheet, str)
    assert (sheet[:, 33:65] == sheet[:, :32][:, ::-1]).all()  # the last wish: always flipped
    pid = previewer.helper.pid
    assert pid is not None
    began = start_time(pid)
    previewer.close()
    wait_for(lambda: not process_runs(pid, began))
    assert len(sheets) == 1


def test_a_helper_that_cannot_start_says_so_and_takes_nothing_with_it(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    sheets: list[np.ndarray | str] = []
    previewer = Previewer(sheets.append, lambda: None)
    rows = [(0, Sample(path="red/cell-0.png", class_index=0, split="train"))]
    previewer.want(CONFIG, discs, rows, 32)
    wait_for(lambda: bool(sheets))
    assert "The preview has ended" in str(sheets[0])
    previewer.want(CONFIG, discs, rows, 32)
    previewer.close()
