"""Images that are decoded at the same time share a limit of memory, and none waits forever."""

import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from patience import Patience
from PIL import Image

from mia_tui.dataset.images import reading
from mia_tui.dataset.images.bytes_in_flight import IN_FLIGHT, ByteLimit, ByteShare
from mia_tui.dataset.images.decode import decode, decode_fitted
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
from mia_tui.errors import DecodeError

WAIT_S = 30.0


def waits(limit: ByteLimit, size_bytes: int) -> bool:
    """Whether a thread that takes so much has to wait; it takes it as soon as it can."""
    taken = threading.Event()
    threading.Thread(target=lambda: (limit.take(size_bytes), taken.set()), daemon=True).start()
    return not taken.wait(0.05)


def test_what_would_be_too_much_waits_until_others_give_back() -> None:
    limit = ByteLimit(lambda: 100)
    limit.take(60)
    assert not waits(limit, 40)
    assert waits(limit, 50)
    limit.give_back(60)
    patience = Patience(WAIT_S)
    while limit._used != 90 and not patience.is_over():
        threading.Event().wait(0.01)
    assert limit._used == 90


def test_a_single_image_above_the_limit_is_read_when_nothing_else_is() -> None:
    limit = ByteLimit(lambda: 100)
    assert not waits(limit, 1000)
    assert waits(limit, 1)


def test_images_that_grow_while_others_do_come_to_an_end() -> None:
    """Each holds most of the limit and wants more: nobody may wait while holding something."""
    limit = ByteLimit(lambda: 100)
    barrier = threading.Barrier(8)

    def read() -> None:
        barrier.wait(WAIT_S)
        for _ in range(50):
            share = ByteShare(limit)
            for size_bytes in (40, 60, 10, 90, 150):
                share.need(size_bytes)
            share.give_back()

    threads = [threading.Thread(target=read, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    patience = Patience(WAIT_S)
    for thread in threads:
        while thread.is_alive() and not patience.is_over():
            thread.join(0.1)
    assert not any(thread.is_alive() for thread in threads)
    assert limit._used == 0


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_readers_of_screen_and_network_take_their_part_and_give_it_back(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = ByteLimit(lambda: 1 << 30)
    monkeypatch.setattr(reading, "IN_FLIGHT", limit)
    taken = []
    monkeypatch.setattr(limit, "take", lambda size: (taken.append(size), ByteLimit.take(limit, size)))
    path = tmp_path / f"a.{suffix}"
    pixels = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    for read in (
        lambda: decode(path),
        lambda: decode_fitted(path, width=8, height=8),
        lambda: render_image(path, 0, (20, 20), DisplaySettings()),
    ):
        taken.clear()
        read()
        assert max(taken) >= (200 * 100 * 3 if suffix != "jpg" else 1)
        assert limit._used == 0
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DecodeError):
        decode(path)
    assert limit._used == 0


def test_the_limit_of_the_process_is_generous() -> None:
    IN_FLIGHT.take(1)
    IN_FLIGHT.give_back(1)
    assert IN_FLIGHT._most >= 256 << 20


def test_writing_images_without_a_share_takes_nothing(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint16))
    with reading.open_source(tmp_path / "a.tif") as source:
        before = IN_FLIGHT._used
        reading.frame_of(source, 0, tmp_path / "a.tif").planes()
        assert IN_FLIGHT._used == before
