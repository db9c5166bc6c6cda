"""Stacks that are labelled as a whole: one image, one label, one sample."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from stack_support import gif, make_stacks, page, tiff

from mia_tui.config.check import make_config
from mia_tui.dataset.images.channels import show
from mia_tui.dataset.images.decode import decode, decode_input
from mia_tui.dataset.images.reading import frame_of, open_source, opened
from mia_tui.dataset.interchange.csv_labels import read_labels, write_labels
from mia_tui.dataset.interchange.folders_export import write_class_folders
from mia_tui.dataset.listing.cache import load_listing, save_listing
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.scan.scan import iter_images, scan
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.queries import META_STACKS
from mia_tui.engine.data.network_input import input_of
from mia_tui.errors import DecodeError
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset

HYPER, PAGES = ImageKey("stacks/hyper.tif", WHOLE_STACK), ImageKey("stacks/pages.tif", WHOLE_STACK)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_stacks(tmp_path / "cells")


def values(path: Path, pick: str) -> np.ndarray:
    with opened(path, WHOLE_STACK, 120.0, stack=pick) as image:
        return image.planes().values


def test_a_whole_stack_is_its_brightest_values_their_mean_or_its_middle(tmp_path: Path) -> None:
    pages = [page(n, 60 + 20 * n).astype(np.uint16) * 200 for n in range(5)]
    (tmp_path / "a.tif").write_bytes(tiff(pages))
    stack = np.stack(pages)[..., None]
    assert np.array_equal(values(tmp_path / "a.tif", "max"), stack.max(0))
    assert np.array_equal(values(tmp_path / "a.tif", "middle"), stack[2])
    mean = values(tmp_path / "a.tif", "mean")
    assert mean.dtype == np.uint16
    assert np.array_equal(mean, np.rint(stack.mean(0)))


def test_channels_of_a_whole_stack_stay_channels(root: Path) -> None:
    pages = np.stack([page(30 + n) for n in range(6)]).reshape(3, 2, 16, 16)
    assert np.array_equal(values(root / HYPER.path, "max"), np.moveaxis(pages.max(0), 0, 2))


def test_where_white_is_zero_the_brightest_is_the_smallest(tmp_path: Path) -> None:
    pages = np.stack([page(1), page(2)])
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="miniswhite", metadata=None)
    assert np.array_equal(values(tmp_path / "a.tif", "max")[..., 0], pages.min(0))


def test_floats_that_are_no_number_are_not_the_brightest(tmp_path: Path) -> None:
    pages = np.array([[[np.nan, 1]], [[2, np.nan]]], np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pages, metadata=None)
    assert values(tmp_path / "a.tif", "max")[..., 0].tolist() == [[2, 1]]


def test_a_film_is_its_brightest_colours(tmp_path: Path) -> None:
    frames = [page(n, 40 + 30 * n) for n in range(3)]
    (tmp_path / "a.gif").write_bytes(gif(frames))
    found = decode(tmp_path / "a.gif", WHOLE_STACK)
    assert np.abs(found[..., 0].astype(int) - np.stack(frames).max(0)).max() <= 1


def test_frames_of_different_sizes_are_not_one_image(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff([page(1), page(2)[:8]]))
    with pytest.raises(DecodeError, match=r"Frame 1 of a\.tif differs from the first one"):
        values(tmp_path / "a.tif", "max")


def test_a_stack_takes_no_more_memory_than_two_of_its_frames(tmp_path: Path) -> None:
    import tracemalloc

    plane = np.zeros((1000, 1000), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([plane] * 30), metadata=None)
    with open_source(tmp_path / "a.tif") as source:
        image = frame_of(source, WHOLE_STACK, tmp_path / "a.tif")
        tracemalloc.start()
        show(image.planes())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20e6  # of 60 in the file


def test_the_network_is_given_what_was_asked_for(root: Path) -> None:
    path = root / PAGES.path
    settings = {"width": 16, "height": 16, "color": False, "backbone": "timm:test_vit"}
    found = {
        pick: decode_input(path, WHOLE_STACK, input_of(make_config(flags={**settings, "stack": pick})))
        for pick in ("max", "mean", "middle")
    }
    pages = np.stack([page(20), page(21, 180), page(22)])
    assert np.array_equal(found["max"][..., 0], pages.max(0))
    assert np.array_equal(found["mean"][..., 0], np.rint(pages.mean(0)))
    assert np.array_equal(found["middle"][..., 0], pages[1])


def test_a_scan_counts_a_stack_once_and_other_files_as_before(root: Path) -> None:
    found = scan(root)
    whole = found.labelled_as("whole")
    assert len(found.keys) == 8 + 1 + 3 + 3 + 2 + 3  # single images, film, pages, and frames of channels
    assert len(whole.keys) == len(whole.files) == 13
    assert (
        HYPER in whole.keys and ImageKey("0.tif") in whole.keys and ImageKey("stacks/film.gif") in whole.keys
    )
    assert whole.labelled_as("frames").keys == found.keys
    assert tuple(iter_images(root, frames="first", stacks="whole")) == whole.keys


def test_a_listing_finds_whole_stacks_by_row_and_by_key(root: Path) -> None:
    listed = list_images(root, stacks="whole")
    frames = list_images(root)
    assert listed is not None and frames is not None
    listing, keys = listed.listing, scan(root).labelled_as("whole").keys
    assert len(listing) == 13
    rows = np.arange(13, dtype=np.int32)
    assert tuple(listing.keys(rows)) == keys == tuple(listing.key(row) for row in range(13))
    assert [listing.row(key) for key in keys] == rows.tolist() == listing.rows(keys).tolist()
    absent = [ImageKey(HYPER.path, frame) for frame in (-4, -3, -2, 0, 1)] + [ImageKey("0.tif", WHOLE_STACK)]
    assert (
        listing.rows(absent).tolist() == [-1] * 6 == [-1 if listing.row(key) is None else 0 for key in absent]
    )
    row = listing.row(HYPER)
    assert row is not None and listing.frames_of(row) == 3 and listing.is_stack(row)
    placed = listing.rows_from(frames.listing)
    assert (placed >= 0).sum() == 9  # those that are no stacks
    assert (listing.rows_from(listing) == rows).all()
    assert tuple(listing.keys_except(["0.tif"])) == keys[1:]
    assert listing.stack_mode == "whole" and frames.listing.stack_mode == "frames"
    assert listing.stacks() == frames.listing.stacks() == dict(scan(root).stacks)
    save_listing(root, listing)
    again = load_listing(root)
    assert again is not None and again.same_files(listing)


def test_while_images_are_found_a_stack_is_not_shown_as_a_single_image(root: Path) -> None:
    (root / "plain.png").write_bytes(b"")
    shown = []
    list_images(root, stacks="whole", on_batch=lambda part: shown.append(part.images))
    assert sum(shown) == 2  # the film and the picture: any TIFF may be a stack


def label(root: Path, keys: dict[ImageKey, str], mode: str) -> None:
    with LabelStore(root / "mia/labels.db") as store:
        names = {name: store.add_class(name).id for name in ("dark", "light")}
        store.set_labels([(key, names[name]) for key, name in keys.items()], source="person")
        store.set_meta(META_STACKS, mode)


def test_a_whole_stack_is_one_sample_and_labels_of_its_frames_are_kept(root: Path) -> None:
    single = {ImageKey(f"{n}.tif"): "dark" if n % 2 else "light" for n in range(8)}
    label(root, {**single, HYPER: "dark", PAGES: "light", ImageKey(HYPER.path, 1): "light"}, "whole")
    dataset = read_dataset(root)
    assert HYPER in dataset.labelled.labels and ImageKey(HYPER.path, 1) not in dataset.labelled.labels
    assert any("1 label of a single frame is kept and not used" in note for note in dataset.notes)
    samples = prepare_training(dataset, make_config(flags={"val_fraction": 0.25})).samples
    assert [(sample.path, sample.frame) for sample in samples if "/" in sample.path] == [
        (HYPER.path, WHOLE_STACK),
        (PAGES.path, WHOLE_STACK),
    ]
    with LabelStore(root / "mia/labels.db") as store:
        store.set_meta(META_STACKS, "frames")
        assert store.parts()[HYPER] in ("train", "val")
    dataset = read_dataset(root)
    assert ImageKey(HYPER.path, 1) in dataset.labelled.labels and HYPER not in dataset.labelled.labels
    assert any("2 labels of whole stacks are kept and not used" in note for note in dataset.notes)


def test_frames_and_the_whole_of_a_stack_are_in_one_part(root: Path) -> None:
    single = {ImageKey(f"{n}.tif"): "dark" if n % 2 else "light" for n in range(8)}
    label(root, {**single, ImageKey(HYPER.path, 0): "dark", ImageKey(PAGES.path, 0): "light"}, "frames")
    parts = {s.path: s.split for s in prepare_training(read_dataset(root), make_config(flags={})).samples}
    with LabelStore(root / "mia/labels.db") as store:
        dark = store.classes()[0].id
        store.set_labels([(HYPER, dark), (PAGES, dark)], source="person")
        store.set_meta(META_STACKS, "whole")
    again = {s.path: s.split for s in prepare_training(read_dataset(root), make_config(flags={})).samples}
    assert again == parts


def test_a_table_of_labels_has_no_frame_for_a_whole_stack(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    write_labels(out, {ImageKey("0.tif"): 0, HYPER: 1}, ["dark", "light"])
    with out.open() as file:
        assert list(csv.reader(file))[1:] == [["0.tif", "0", "dark"], ["stacks/hyper.tif", "", "light"]]
    read = read_labels(out, scan(root).labelled_as("whole"), dataset=root)
    assert read.labels == {ImageKey("0.tif"): "dark", HYPER: "light"}
    every_frame = read_labels(out, scan(root), dataset=root)
    assert [key.frame for key in every_frame.labels if key.path == HYPER.path] == [0, 1, 2]


def test_a_row_for_one_frame_is_not_that_of_a_whole_stack(root: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,frame,class\nstacks/hyper.tif,1,dark\n0.tif,0,dark\n")
    read = read_labels(table, scan(root).labelled_as("whole"), dataset=root)
    assert list(read.labels) == [ImageKey("0.tif")]
    assert read.unmatched == ["stacks/hyper.tif (frame 1)"]


def test_a_whole_stack_is_exported_as_its_file(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    keys = scan(root).labelled_as("whole").keys
    done = write_class_folders(out, root, {HYPER: 0, ImageKey("0.tif"): 0}, ["dark"], keys=keys)
    assert (done.files, done.frames) == (2, 0)
    assert (out / "dark/hyper.tif").read_bytes() == (root / HYPER.path).read_bytes()
