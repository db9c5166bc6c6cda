"""Runs find their images from where they lie: in datasets that were moved, copied or linked."""

import shutil
import time
from pathlib import Path

import msgspec
import pytest
from run_support import make_job, make_predict_job

from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.list.lifecycle import again_config, changed_config
from mia_tui.runs.list.moved_dataset import (
    check_folders_exist,
    current_job,
    current_samples,
    update_dataset_path,
)
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.queue import last_in_line

PATHS = ("a.png", "deep/b.png")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return fill(tmp_path / "cells")


def fill(folder: Path) -> Path:
    for path in PATHS:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"content of {path}")
    return folder


def train(dataset: Path, state: Path, **config: object) -> RunDir:
    """A run of a dataset; with `val`, its images validate by whole paths."""
    samples = [Sample(path, 0, "train") for path in PATHS]
    if "val" in config:
        samples += [Sample(f"{config['val']}/{path}", 1, "val") for path in PATHS]
    job = make_job(state.resolve(), created_at=time.time(), **config)
    job = msgspec.structs.replace(job, dataset=str(dataset.resolve()))
    return RunDir.create(StateFolder(state), job, samples, name="resnet18")


def images_of(run: RunDir, dataset: Path | None = None) -> list[Path]:
    """Where the images of a run are looked for."""
    job = current_job(run, dataset)
    return [Path(job.dataset) / sample.path for sample in current_samples(run, job)]


def at(folder: Path) -> list[Path]:
    return [folder / path for path in PATHS]


@pytest.mark.parametrize("state", ["cells/mia", "cells.mia"])
def test_the_images_go_with_a_run_to_where_its_dataset_was_moved_and_copies_stand_alone(
    cells: Path, tmp_path: Path, state: str
) -> None:
    run = train(cells, tmp_path / state)
    assert images_of(run) == at(cells)
    for name, move in (("copy", shutil.copytree), ("moved", shutil.move)):
        move(cells, tmp_path / name)
        if state == "cells.mia":
            move(tmp_path / state, tmp_path / f"{name}.mia")
        there = RunDir(tmp_path / state.replace("cells", name) / "runs" / run.name)
        assert images_of(there) == at(tmp_path / name)
        update_dataset_path(there)
        assert current_job(there).state == str(there.path.parent.parent)
    assert images_of(RunDir(tmp_path / state.replace("cells", "copy") / "runs" / run.name)) == at(
        tmp_path / "copy"
    )


def test_a_run_is_found_by_a_link_to_its_dataset_and_by_a_link_in_place_of_its_state(
    cells: Path, tmp_path: Path
) -> None:
    run = train(cells, cells / "mia")
    (tmp_path / "link").symlink_to(cells)
    assert images_of(RunDir(tmp_path / "link" / "mia" / "runs" / run.name)) == at(cells)
    (cells / "mia").rename(tmp_path / "large disk")
    (cells / "mia").symlink_to(tmp_path / "large disk")
    linked = train(cells, cells / "mia")
    cells.rename(tmp_path / "moved")
    assert images_of(RunDir(tmp_path / "moved" / "mia" / "runs" / linked.name)) == at(tmp_path / "moved")


def test_a_state_elsewhere_has_its_dataset_from_the_user_then_from_labels_db(
    cells: Path, tmp_path: Path
) -> None:
    state = tmp_path / "elsewhere"
    run = train(cells, state)
    assert images_of(run) == at(cells)
    moved = cells.rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"images of the run \S+ are gone: there is no folder \S+cells\."):
        update_dataset_path(run)
    gone = msgspec.structs.replace(make_predict_job(state), dataset=str(cells))
    prediction = RunDir.create(StateFolder(state), gone, name="p")
    with pytest.raises(DataError, match=r"mia-tui runs resume \S+ --dataset DATASET --state \S+elsewhere\."):
        update_dataset_path(prediction)
    assert images_of(run, moved) == at(moved)
    update_dataset_path(run, moved)
    assert images_of(run) == at(moved)  # a worker is told the run only
    again = moved.rename(tmp_path / "again")
    with LabelStore(state / "labels.db") as store:
        store.save_root(again)
    assert images_of(run) == at(again)
    (tmp_path / "foreign").mkdir()
    with pytest.raises(DataError, match="foreign holds none of the images of the run"):
        update_dataset_path(run, tmp_path / "foreign")


def test_a_validation_folder_in_the_dataset_moves_with_it_and_one_that_is_gone_is_named(
    cells: Path, tmp_path: Path
) -> None:
    fill(cells / "held out")
    outside = fill(tmp_path / "outside")
    inside_run = train(cells, cells / "mia", val=str(cells / "held out"))
    outside_run = train(cells, cells / "mia", val=str(outside))
    moved = cells.rename(tmp_path / "moved")
    inside_run, outside_run = (RunDir(moved / "mia" / "runs" / run.name) for run in (inside_run, outside_run))
    assert images_of(inside_run) == at(moved) + at(moved / "held out")
    assert again_config(inside_run).val == str(moved / "held out")
    assert images_of(outside_run) == at(moved) + at(outside)
    update_dataset_path(outside_run)
    shutil.rmtree(outside)
    with pytest.raises(DataError, match=r"The folder of --val, \S+outside, is gone"):
        update_dataset_path(outside_run)


def test_a_folder_of_images_for_validation_that_moved_along_is_found(tmp_path: Path) -> None:
    cells, val = fill(tmp_path / "project" / "cells"), fill(tmp_path / "project" / "val")
    run = train(cells, cells / "mia", val=str(val))
    moved = (tmp_path / "project").rename(tmp_path / "renamed")
    run = RunDir(moved / "cells" / "mia" / "runs" / run.name)
    assert images_of(run) == at(moved / "cells") + at(moved / "val")


def test_weights_of_another_run_move_with_the_dataset(cells: Path, tmp_path: Path) -> None:
    first = train(cells, cells / "mia")
    run = train(cells, cells / "mia", weights=str(first.best_weights))
    moved = cells.rename(tmp_path / "moved")
    run = RunDir(moved / "mia" / "runs" / run.name)
    run.checkpoints.mkdir()
    run.best_weights.touch()
    assert Path(again_config(run).weights).is_relative_to(moved)
    assert changed_config(run).weights == str(run.best_weights)


def test_images_that_labels_followed_to_another_name_are_found_under_it(cells: Path) -> None:
    files = [ImageFile(path, (cells / path).stat().st_size, 1) for path in PATHS]
    with LabelStore(cells / "mia" / "labels.db") as store:
        store.set_labels([(ImageKey(path), store.add_class(path).id) for path in PATHS], source="person")
        store.reconcile(files, cells)
    run = train(cells, cells / "mia")
    for old, new in (("a.png", "b.png"), ("b.png", "c.png")):
        (cells / old).rename(cells / new)
        size = (cells / new).stat().st_size
        with LabelStore(cells / "mia" / "labels.db") as store:
            store.reconcile([ImageFile(new, size, 1), files[1]], cells)
    assert images_of(run) == [cells / "c.png", cells / "deep" / "b.png"]
    later = train(cells, cells / "mia")
    (cells / "a.png").write_text("another image")
    assert images_of(later)[0] == cells / "a.png"  # of this run it means what it says


def test_a_linking_that_was_taken_back_leaves_a_run_its_images(cells: Path) -> None:
    files = [ImageFile(path, (cells / path).stat().st_size, 1) for path in PATHS]
    run = train(cells, cells / "mia")
    with LabelStore(cells / "mia" / "labels.db") as store:
        store.set_labels([(ImageKey("a.png"), store.add_class("x").id)], source="person")
        store.reconcile(files, cells)
        (cells / "a.png").rename(cells / "b.png")
        store.reconcile([ImageFile("b.png", files[0].size, 1), files[1]], cells)
        assert images_of(run)[0] == cells / "b.png"
        store.undo_links()
    assert images_of(run) == at(cells)


def test_a_state_folder_called_only_by_the_ending_tells_no_dataset(cells: Path, tmp_path: Path) -> None:
    run = train(cells, tmp_path / ".mia")
    assert current_job(run).state == str(tmp_path / ".mia")


@pytest.mark.parametrize("folder", ["", ".", "cells", "../cells"])
def test_a_job_without_an_absolute_folder_is_damaged(cells: Path, folder: str) -> None:
    run = train(cells, cells / "mia")
    content = run.job_bytes().replace(str(cells).encode(), folder.encode())
    (run.path / "job.json").write_bytes(content)
    with pytest.raises(RunError, match=r"cannot read job\.json"):
        run.job()


def test_the_root_of_the_disk_may_be_a_dataset(cells: Path) -> None:
    run = train(cells, cells / "mia")
    content = run.job_bytes().replace(f'"dataset": "{cells}"'.encode(), b'"dataset": "/"')
    (run.path / "job.json").write_bytes(content)
    assert current_job(run).dataset == str(cells)


def test_links_that_lead_in_a_circle_are_no_fault(cells: Path, tmp_path: Path) -> None:
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    run = train(cells, tmp_path / "circle.mia")
    run.put_after(None)
    run.put_dataset(circle)
    content = run.job_bytes().replace(b'"after": null', f'"after": "{circle}"'.encode())
    (run.path / "job.json").write_bytes(content)
    assert last_in_line([run]) is None or last_in_line([run]) == run
    job = current_job(run, circle)
    with pytest.raises(DataError):
        check_folders_exist(run, msgspec.structs.replace(job, dataset=str(circle)))
