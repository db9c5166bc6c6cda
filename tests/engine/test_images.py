import errno
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from run_support import wait_for
from torch import Tensor

import mia_tui.engine.data.images as images_module
import mia_tui.engine.data.reader as reader_module
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.decoded import segment_writer
from mia_tui.dataset.images.decode import decode_fitted
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.model import Part
from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.data.images import CachedImages, ImageStore, choose_cache, open_images
from mia_tui.engine.data.network_input import bytes_of_image, input_of
from mia_tui.engine.data.reader import ImageReader, row_groups
from mia_tui.errors import ConfigError, DecodeError
from mia_tui.paths import user_cache
from mia_tui.runs.record.job import Sample

CPU = torch.device("cpu")
CACHES = ("device", "ram", "disk", "none")
BROKEN = (2, 5)


def make_config(cache: str = "ram", **fields: object) -> TrainConfig:
    return TrainConfig(**{"cache": cache, "width": 20, "height": 16, **fields})  # type: ignore[arg-type]


def sample(path: str, frame: int = 0) -> Sample:
    return Sample(path, 0, "train", frame)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Eight samples in tmp_path: rows 2 (cut short) and 5 (missing) cannot be read."""
    for index, name in enumerate(("a.png", "b.jpg", "sub/c.bmp", "[d] é.png")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(noise(index, 40 + index, 50, 3)).save(path)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    pages = [Image.fromarray(noise(10 + page, 30, 30)) for page in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    return [
        sample("a.png"),
        sample("b.jpg"),
        sample("cut.png"),
        sample("sub/c.bmp"),
        sample("stack.tif", 2),
        sample("missing.png"),
        sample(str(tmp_path / "[d] é.png")),  # absolute, as of --val FOLDER
        sample("stack.tif"),
    ]


def plain(item: Sample, root: Path, config: TrainConfig) -> np.ndarray:
    return decode_fitted(
        root / item.path,
        item.frame,
        width=config.width,
        height=config.height,
        color=config.color,
        geometry=config.geometry,
        resize=config.resize,
        max_megapixels=config.max_megapixels,
    )


@contextmanager
def opened(
    images: list[Sample], root: Path, config: TrainConfig, device: torch.device, **options: Any
) -> Iterator[ImageStore]:
    store = open_images(images, root, config, input_of(config), device, **options)
    try:
        yield store
    finally:
        store.close()


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(
    "fields", [{}, {"color": False}, {"geometry": "letterbox", "resize": "nearest"}, {"geometry": "crop"}]
)
def test_every_cache_gives_the_pixels_of_the_one_decoder(
    samples: list[Sample], tmp_path: Path, cache: str, fields: dict[str, object]
) -> None:
    config = make_config(cache, **fields)
    rows = torch.tensor([7, 0, 6, 4, 3, 1])
    with opened(samples, tmp_path, config, CPU) as store:
        assert store.place == cache
        pixels, kept = store.fetch(rows)
    assert pixels.dtype == torch.uint8 and kept.tolist() == list(range(6))
    assert pixels.shape == (6, 3 if config.color else 1, 16, 20)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    for row, got in zip(rows.tolist(), pixels, strict=True):
        assert np.array_equal(got.permute(1, 2, 0).numpy(), plain(samples[row], tmp_path, config))


@pytest.mark.parametrize("cache", CACHES)
def test_unreadable_images_are_left_out_and_named(samples: list[Sample], tmp_path: Path, cache: str) -> None:
    config = make_config(cache)
    with opened(samples, tmp_path, config, CPU) as store:
        pixels, kept = store.fetch(torch.tensor([5, 4, 2, 0]))
        assert kept.tolist() == [1, 3]
        assert np.array_equal(pixels[0].permute(1, 2, 0).numpy(), plain(samples[4], tmp_path, config))
        assert set(store.left_out) == set(BROKEN)
        assert "cut.png" in store.left_out[2] and "missing.png" in store.left_out[5]
        pixels, kept = store.fetch(torch.tensor(BROKEN))
        assert pixels.shape == (0, 3, 16, 20) and kept.shape == (0,)


def test_a_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    name = b"cell \xff\xe9.png".decode("utf-8", "surrogateescape")
    Image.fromarray(noise(0, 20, 20, 3)).save(tmp_path / "cell.png")
    (tmp_path / "cell.png").rename(tmp_path / name)
    with opened([sample(name)], tmp_path, make_config(), CPU) as store:
        assert len(store.fetch(torch.tensor([0]))[1]) == 1


def test_no_samples_are_no_error(tmp_path: Path) -> None:
    for cache in CACHES:
        with opened([], tmp_path, make_config(cache), CPU) as store:
            assert store.fetch(torch.tensor([], dtype=torch.int64))[0].shape == (0, 3, 16, 20)


@pytest.mark.parametrize("cache", CACHES)
def test_rows_left_out_of_an_epoch_before_a_break_stay_out_until_they_are_tried_again(
    samples: list[Sample], tmp_path: Path, cache: str
) -> None:
    before = {0: "a.png was damaged then."}
    with opened(samples, tmp_path, make_config(cache), CPU, left_out=before) as store:
        assert store.fetch(torch.arange(2))[1].tolist() == [1]
        assert store.left_out[0] == before[0]
        store.try_again()
        pixels, kept = store.fetch(torch.arange(2))
        assert kept.tolist() == [0, 1]
        assert np.array_equal(
            pixels[0].permute(1, 2, 0).numpy(), plain(samples[0], tmp_path, make_config(cache))
        )
        assert 0 not in store.left_out
    assert before == {0: "a.png was damaged then."}


def test_a_file_that_goes_away_stays_out_until_it_is_tried_again(
    samples: list[Sample], tmp_path: Path
) -> None:
    everything = torch.arange(8)
    with opened(samples, tmp_path, make_config("none"), CPU) as store:
        assert 0 in store.fetch(everything)[1]
        away = (tmp_path / "a.png").rename(tmp_path / "away.png")
        assert 0 not in store.fetch(everything)[1]
        away.rename(tmp_path / "a.png")
        assert 0 not in store.fetch(everything)[1]
        assert "a.png" in store.left_out[0]
        store.try_again()
        assert 0 in store.fetch(everything)[1]
        assert set(store.left_out) == set(BROKEN)


def test_whether_any_of_some_rows_can_be_read_changes_nothing(samples: list[Sample], tmp_path: Path) -> None:
    with opened(samples, tmp_path, make_config("none"), CPU) as store:
        store.fetch(torch.arange(8))
        assert not store.can_read_any(BROKEN)
        assert store.can_read_any([*BROKEN, 0])
        assert set(store.left_out) == set(BROKEN)


class Decodings:
    """Stands in for the decoder; images are blank, and the red of each is its row."""

    def __init__(self, work: Callable[[], None] = lambda: None) -> None:
        self.rows: list[int] = []
        self._work = work

    def __call__(self, path: Path, frame: int, wanted: object, **more: object) -> np.ndarray:
        self._work()
        self.rows.append(frame)
        return np.full((16, 20, 3), frame % 256, dtype=np.uint8)


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Decodings:
    stand_in = Decodings()
    monkeypatch.setattr(reader_module, "decode_input", stand_in)
    return stand_in


def many(count: int) -> list[Sample]:
    return [sample("x.png", frame) for frame in range(count)]


def reds(store: ImageStore, rows: Tensor) -> list[int]:
    return store.fetch(rows)[0][:, 0, 0, 0].tolist()


def test_batches_are_decoded_ahead_but_not_the_whole_epoch(decodings: Decodings, tmp_path: Path) -> None:
    plan = [torch.arange(start, start + 10) for start in range(0, 100, 10)]
    with opened(many(100), tmp_path, make_config("none"), CPU) as store:
        store.prefetch(plan)
        wait_for(lambda: len(decodings.rows) == 20)
        assert reds(store, plan[0]) == list(range(10))
        wait_for(lambda: len(decodings.rows) == 30)
        time.sleep(0.05)
        assert sorted(decodings.rows) == list(range(30))
        for batch in plan[1:]:
            assert reds(store, batch) == batch.tolist()
        assert sorted(decodings.rows) == list(range(100))


def test_other_batches_than_planned_are_given_too(decodings: Decodings, tmp_path: Path) -> None:
    plan = [torch.arange(start, start + 5) for start in range(0, 30, 5)]
    with opened(many(100), tmp_path, make_config("none"), CPU) as store:
        store.prefetch(plan)
        assert reds(store, torch.tensor([50, 3])) == [50, 3]
        assert reds(store, plan[1]) == plan[1].tolist()  # passes over the first one
        assert reds(store, plan[2]) == plan[2].tolist()
        store.prefetch([torch.tensor([70, 71])])
        assert reds(store, torch.tensor([70, 71])) == [70, 71]
        assert reds(store, plan[0]) == plan[0].tolist()
    assert decodings.rows.count(10) == 1


@contextmanager
def decoding_ahead(count: int, root: Path, *, reads_all: bool) -> Iterator[ImageStore]:
    config = make_config()
    reader = ImageReader(many(count), root, input_of(config), threads=1)
    with closing(CachedImages(reader, CPU, "ram", ahead=True, reads_all=reads_all)) as store:
        yield store


def test_images_of_the_first_batches_are_decoded_first_and_then_all_others_once(
    decodings: Decodings, tmp_path: Path
) -> None:
    plan = [torch.arange(start, start + 10) for start in range(90, 40, -10)]
    with decoding_ahead(100, tmp_path, reads_all=True) as store:
        store.prefetch(plan)
        assert reds(store, plan[0]) == plan[0].tolist()
        wait_for(lambda: len(decodings.rows) >= 64)  # what it does ahead at most, beside the batch
        assert set(decodings.rows[:46]) <= set(range(50, 100))  # four threads may overtake each other
        store.prefetch([torch.arange(20)])
        for batch in [*plan, torch.arange(100)]:
            assert reds(store, batch) == batch.tolist()
    assert sorted(decodings.rows) == list(range(100))


def test_a_process_of_several_decodes_only_what_it_is_asked_for(decodings: Decodings, tmp_path: Path) -> None:
    with decoding_ahead(100, tmp_path, reads_all=False) as store:
        store.prefetch([torch.arange(10), torch.arange(50, 60)])
        wait_for(lambda: len(decodings.rows) == 20)
        assert reds(store, torch.arange(50, 60)) == list(range(50, 60))
        time.sleep(0.05)
    assert sorted(decodings.rows) == [*range(10), *range(50, 60)]


def test_a_cpu_decodes_the_images_of_a_batch_when_it_is_needed(decodings: Decodings, tmp_path: Path) -> None:
    with opened(many(100), tmp_path, make_config(), CPU) as store:
        store.prefetch([torch.arange(10), torch.arange(10, 20)])
        assert reds(store, torch.arange(10)) == list(range(10))
        time.sleep(0.05)
        assert sorted(decodings.rows) == list(range(10))
        assert reds(store, torch.arange(5, 15)) == list(range(5, 15))
    assert sorted(decodings.rows) == list(range(15))


def test_of_each_group_images_are_read_until_one_can_be(tmp_path: Path) -> None:
    groups: list[tuple[int, Part]] = [(0, "train"), (1, "train"), (2, "train"), (0, "val")]
    samples = [
        Sample(f"{number}-{part}-{count}.png", number, part)
        for number, part in groups
        for count in range(100)
    ]
    for each in samples:
        (tmp_path / each.path).write_bytes(b"no image")
    for readable in ("0-train-0.png", "1-train-90.png", "0-val-3.png"):
        Image.fromarray(noise(0, 20, 20, 3)).save(tmp_path / readable)
    with opened(samples, tmp_path, make_config("none"), CPU) as store:
        store.check_groups(row_groups(samples))
        counts = Counter(samples[row].class_index for row in store.left_out)
        assert counts[2] == 100 and counts[1] >= 90


def test_waiting_for_a_batch_ends_at_a_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in = Decodings(work=lambda: time.sleep(0.01))
    monkeypatch.setattr(reader_module, "decode_input", stand_in)
    with opened(many(10_000), tmp_path, make_config(), CPU, should_stop=lambda: True) as store:
        with pytest.raises(WorkStopped):
            store.fetch(torch.arange(10_000))
        assert len(stand_in.rows) < 1_000
    wait_for(lambda: not decoders())


def decoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize("cache", CACHES)
def test_no_thread_is_left_behind(samples: list[Sample], tmp_path: Path, cache: str) -> None:
    with opened(samples, tmp_path, make_config(cache), CPU) as store:
        store.prefetch([torch.arange(8)])
        store.fetch(torch.arange(4))
    wait_for(lambda: not decoders())


def test_a_bug_of_ours_is_not_reported_as_a_broken_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fault() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reader_module, "decode_input", Decodings(work=fault))
    with opened(many(3), tmp_path, make_config(), CPU) as store, pytest.raises(ZeroDivisionError):
        store.fetch(torch.arange(3))


@pytest.fixture
def free_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    def set_free(device: int, ram: int) -> None:
        monkeypatch.setattr(images_module, "free_device_bytes", lambda _: device)
        monkeypatch.setattr(images_module, "free_ram_bytes", lambda: ram)

    return set_free


@pytest.mark.parametrize(
    ("device", "free_on_device", "free_ram", "expected"),
    [
        ("cuda:0", 4000, 0, "device"),
        ("cuda:0", 2000, 2000, "ram"),
        ("cuda:0", 2000, 1500, "disk"),
        ("cpu", 4000, 4000, "ram"),
        ("cpu", 4000, 1500, "disk"),
    ],
)
def test_auto_takes_the_fastest_place_with_room(
    free_memory: Callable[[int, int], None], device: str, free_on_device: int, free_ram: int, expected: str
) -> None:
    one = 16 * 20 * 3
    free_memory(free_on_device * one, free_ram * one)
    assert choose_cache(1000 * one, make_config("auto"), torch.device(device)) == expected


@pytest.mark.parametrize("cache", ["device", "ram"])
def test_a_cache_that_cannot_hold_the_images_is_refused_in_a_sentence(
    free_memory: Callable[[int, int], None], cache: str
) -> None:
    free_memory(10**9, 10**9)
    with pytest.raises(ConfigError, match=r"images take 9\.6 GB, and 1\.0 GB are free .*--cache none"):
        choose_cache(9_600_000_000, make_config(cache), CPU)


@pytest.mark.parametrize(
    ("fields", "bits", "count"),
    [({"color": False}, 8, 1), ({}, 8, 3), ({"color": False}, 16, 2), ({"channels": "1,2,3,4,5"}, 16, 10)],
)
def test_an_image_takes_as_many_bytes_as_it_has_channels_and_twice_that_in_16_bits(
    fields: dict[str, Any], bits: int, count: int
) -> None:
    config = make_config(**fields)
    measured = InputMap(mode="type", channels=list(config.channel_names), bits=bits)
    assert bytes_of_image(input_of(config, measured)) == count * 16 * 20


def age(root: Path) -> None:
    """Give all files a time of which it is certain that they did not change since: only then images are kept."""
    for path in root.rglob("*.*"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))


@pytest.fixture
def cannot_decode(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(path: Path, *given: object, **more: object) -> np.ndarray:
        raise DecodeError(f"{path.name} must not be decoded.")

    return lambda: monkeypatch.setattr(reader_module, "decode_input", refuse)


@pytest.mark.parametrize("cache", ["auto", "disk"])
@pytest.mark.parametrize("first", ["auto", "disk"])
def test_the_second_run_decodes_nothing_and_has_the_same_pixels(
    samples: list[Sample], tmp_path: Path, cannot_decode: Callable[[], None], first: str, cache: str
) -> None:
    age(tmp_path)
    with opened(samples, tmp_path, make_config(first), CPU) as store:
        assert "for later runs" in store.keeping
        pixels = store.fetch(torch.arange(8))[0].clone()
    cannot_decode()
    with opened(samples, tmp_path, make_config(cache), CPU) as store:
        assert "6 are there from earlier runs" in store.keeping
        for _ in range(3):  # checked, then as they are
            again, kept = store.fetch(torch.arange(8))
            assert kept.tolist() == [0, 1, 3, 4, 6, 7] and torch.equal(again, pixels)
            again, kept = store.fetch(torch.tensor([7, 1]))
            assert torch.equal(again, pixels[[5, 1]])
        assert set(store.left_out) == set(BROKEN)


def test_images_that_the_disk_lost_in_the_middle_of_a_run_are_decoded_again(
    samples: list[Sample], tmp_path: Path
) -> None:
    age(tmp_path)
    rows = torch.tensor([0, 1, 3, 4])
    with opened(samples, tmp_path, make_config("disk"), CPU) as store:
        pixels = store.fetch(rows)[0].clone()
    with opened(samples, tmp_path, make_config("disk"), CPU) as store:
        assert torch.equal(store.fetch(rows)[0], pixels)
        (kept,) = user_cache().glob("decoded/*/*/pixels-*.bin")
        os.truncate(kept, 16 * 20 * 3 + 1)
        assert torch.equal(store.fetch(rows)[0], pixels)
        assert not store.left_out


@pytest.mark.parametrize("cache", ["ram", "device", "none"])
def test_nothing_is_kept_on_the_disk_where_that_was_not_asked_for(
    samples: list[Sample], tmp_path: Path, cache: str
) -> None:
    age(tmp_path)
    with opened(samples, tmp_path, make_config(cache), CPU) as store:
        store.fetch(torch.arange(8))
    assert not list(user_cache().glob("decoded/*"))


def test_a_cache_folder_that_cannot_be_written_costs_the_cache_and_nothing_else(
    samples: list[Sample], tmp_path: Path
) -> None:
    (user_cache() / "decoded").write_text("in the way")
    for cache, place in (("auto", "ram"), ("disk", "none")):
        with opened(samples, tmp_path, make_config(cache), CPU) as store:
            assert store.place == place
            assert "not on the disk: " in store.keeping
            assert len(store.fetch(torch.arange(8))[1]) == 6


def test_what_goes_wrong_with_the_disk_later_is_said_once(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(tmp_path)

    def full(file: int, content: np.ndarray, offset: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(segment_writer, "_write_at", full)
    with opened(samples, tmp_path, make_config("disk"), CPU) as store:
        for _ in range(2):
            assert len(store.fetch(torch.arange(8))[1]) == 6
        told: list[str] = []
        wait_for(lambda: bool(told.extend(filter(None, [store.take_disk_problem()])) or told))
        assert "Your quota on the disk that holds" in told[0]
        assert store.take_disk_problem() is None
        assert len(store.fetch(torch.arange(8))[1]) == 6


def test_numbers_of_a_type_that_was_not_measured_are_named_from_the_disk_too(
    tmp_path: Path, cannot_decode: Callable[[], None]
) -> None:
    Image.fromarray(np.arange(400, dtype=np.uint16).reshape(20, 20)).save(tmp_path / "deep.png")
    age(tmp_path)
    measured = InputMap(mode="dataset", bits=16)

    def types() -> dict[int, str]:
        config = make_config("auto")
        store = open_images([sample("deep.png")], tmp_path, config, input_of(config, measured), CPU)
        with closing(store):
            assert len(store.fetch(torch.tensor([0]))[1]) == 1
            return dict(store.other_types)

    first = types()
    cannot_decode()
    assert types() == first == {0: "uint16"}
