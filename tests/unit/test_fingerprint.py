"""Fingerprints of the images of a training, what differs from them, and digests of weights."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from run_support import make_run

from mia_tui.dataset import hashes
from mia_tui.dataset.hashes import content_hash, file_hash
from mia_tui.decoding import BadRecord
from mia_tui.errors import RunError
from mia_tui.runs.record.fingerprint import (
    DataFingerprint,
    data_fingerprint,
    file_fingerprints,
    fingerprint_of,
    read_fingerprints,
    write_fingerprint,
)
from mia_tui.runs.record.job import JobClass, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import tensors_digest
from mia_tui.runs.rerun.preparing import compare_data

CLASSES = [JobClass(1, "cat"), JobClass(2, "dog")]
SAMPLES = [Sample("a.png", 0, "train"), Sample("b/b.png", 1, "val"), Sample("c.png", 1, "test")]


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    root = tmp_path / "cells"
    (root / "b").mkdir(parents=True)
    (root / "a.png").write_bytes(b"one")
    (root / "b" / "b.png").write_bytes(b"two")
    (root / "c.png").write_bytes(b"test")
    return root


def taken(root: Path, samples: list[Sample] = SAMPLES) -> DataFingerprint:
    files = list(file_fingerprints(root, [sample.path for sample in samples if sample.split != "test"]))
    return fingerprint_of(files, samples, CLASSES)


def kept_run(root: Path) -> RunDir:
    run = make_run(root / "mia", samples=SAMPLES)
    files = list(file_fingerprints(root, ["a.png", "b/b.png"]))
    write_fingerprint(run, fingerprint_of(files, SAMPLES, CLASSES), files)
    return run


def test_a_fingerprint_is_kept_and_read_back(cells: Path) -> None:
    run = kept_run(cells)
    kept = data_fingerprint(run)
    assert kept == taken(cells) and (kept.files, kept.bytes, kept.unread) == (2, 6, 0)
    files = read_fingerprints(run)
    assert files is not None and [(file.path, file.size) for file in files] == [("a.png", 3), ("b/b.png", 3)]
    assert files[0].hash == file_hash(cells / "a.png")
    assert run.fingerprint in run.own_files()


def test_it_is_about_content_labels_and_parts_and_not_about_names(cells: Path) -> None:
    before = taken(cells).digest
    (cells / "a.png").rename(cells / "z.png")
    moved = [Sample("z.png", 0, "train"), *SAMPLES[1:]]
    assert taken(cells, moved).digest == before
    assert taken(cells, [*moved[:2]]).digest == before  # the test part is never read
    assert taken(cells, [Sample("z.png", 1, "train"), *SAMPLES[1:]]).digest != before
    assert taken(cells, [Sample("z.png", 0, "val"), *SAMPLES[1:]]).digest != before
    (cells / "z.png").write_bytes(b"0ne")
    assert taken(cells, moved).digest != before


def test_what_differs_is_named_by_kind(cells: Path) -> None:
    run = kept_run(cells)
    assert compare_data(run, SAMPLES, cells).are_none
    (cells / "a.png").write_bytes(b"0ne")
    (cells / "c.png").unlink()  # of the test part
    assert compare_data(run, SAMPLES, cells).changed == ("a.png",)
    (cells / "a.png").write_bytes(b"longer")
    (cells / "b" / "b.png").unlink()
    found = compare_data(run, SAMPLES, cells)
    assert (found.missing, found.resized, found.changed) == (("b/b.png",), ("a.png",), ())
    assert "1 file is missing: b/b.png." in found.sentences
    assert "1 file has another size: a.png." in found.sentences


def test_a_run_of_an_earlier_version_has_none_and_says_so(cells: Path) -> None:
    run = make_run(cells / "mia", samples=SAMPLES)
    assert data_fingerprint(run) is None and read_fingerprints(run) is None
    (cells / "a.png").unlink()
    found = compare_data(run, SAMPLES, cells)
    assert found.missing == ("a.png",) and found.unknown and "took no fingerprint" in found.sentences[-1]


@pytest.mark.parametrize(
    "content", [b"", b"{}\n", b'{"digest":"x","files":1,"bytes":2}\n["a",-1,""]\n', b"\xff"]
)
def test_a_damaged_file_is_named(cells: Path, content: bytes) -> None:
    run = make_run(cells / "mia", samples=SAMPLES)
    run.fingerprint.write_bytes(content)
    with pytest.raises(RunError, match=r"fingerprint\.jsonl"):
        data_fingerprint(run)
        read_fingerprints(run)


def test_files_that_cannot_be_read_are_counted(cells: Path) -> None:
    (cells / "a.png").unlink()
    assert taken(cells).unread == 1


def test_of_a_large_file_pieces_are_read(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "MOST_WHOLE_BYTES", 100)
    monkeypatch.setattr(hashes, "_CHUNK_BYTES", 4)
    file = cells / "large.tif"
    file.write_bytes(bytes(1000))
    before = content_hash(file)
    assert before.startswith("~")
    for place in (0, 999):
        changed = bytearray(1000)
        changed[place] = 1
        file.write_bytes(bytes(changed))
        assert content_hash(file) != before
    file.write_bytes(bytes(1001))
    assert content_hash(file) != before
    assert content_hash(cells / "a.png") == file_hash(cells / "a.png")


def test_digests_of_weights_are_about_tensors_only(tmp_path: Path) -> None:
    def save(name: str, value: float, run: str) -> Path:
        tensors = {"w": np.full((2, 3), value, np.float32), "n": np.array([1], np.int64)}
        safetensors.numpy.save_file(tensors, tmp_path / name, {"mia_tui": run})
        return tmp_path / name

    one = tensors_digest(save("a.safetensors", 1.0, "run a"))
    assert tensors_digest(save("b.safetensors", 1.0, "a run with a longer name")) == one
    assert tensors_digest(save("c.safetensors", 1.0000001, "run a")) != one
    (tmp_path / "d.safetensors").write_bytes(b"no")
    with pytest.raises(BadRecord):
        tensors_digest(tmp_path / "d.safetensors")
