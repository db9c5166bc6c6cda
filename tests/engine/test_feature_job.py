"""The job that makes features: what it makes, what it need not make again, and what it does with changed files."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from deep_support import write_deep
from disc_support import draw_disc
from training_support import make_run, train

from mia_tui.dataset.scan.incremental import list_images
from mia_tui.engine.jobs import features as job_module
from mia_tui.features.layout import TRAINED_ON, table_folder
from mia_tui.features.table import FeatureTable
from mia_tui.runs.features.create import create_features, network_id
from mia_tui.runs.record.events import Event, Phase, ProgressMade, ResultSaved
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker import attempt, control
from mia_tui.worker import AttemptResult, work

pytestmark = pytest.mark.usefixtures("networks_are_let_go")


def make(root: Path, weights: Path | None = None, **settings: object) -> tuple[AttemptResult, list[Event]]:
    events: list[Event] = []
    run = create_features(root, weights, threads=1, **{"batch_size": 8, "precision": "fp32", **settings})
    return work(run, foreground=False, observe=events.append), events


def result_of(events: list[Event]) -> ResultSaved:
    (result,) = (event for event in events if isinstance(event, ResultSaved))
    return result


def by_path(root: Path, weights: Path | None = None) -> dict[str, np.ndarray]:
    table = FeatureTable.open(root, network_id(weights))
    found = list_images(root)
    assert table is not None and found is not None
    places = table.places(found.listing)
    keys = found.listing.keys(np.flatnonzero(places >= 0).astype(np.int32))
    rows = table.rows(0, len(table))
    return {
        f"{key.path} {key.frame}": np.array(rows[place], np.float32)
        for key, place in zip(keys, places[places >= 0], strict=True)
    }


def computed(events: list[Event]) -> int:
    """How many images the network was given."""
    starts = [
        place for place, event in enumerate(events) if isinstance(event, Phase) and event.name == "working"
    ]
    if not starts:
        return 0
    done = [event.done for event in events[starts[-1] :] if isinstance(event, ProgressMade)]
    return done[-1] - done[0]


def test_every_image_gets_mean_and_deviation_of_seven_stages(discs: Path) -> None:
    result, events = make(discs)
    assert result.outcome == "finished"
    assert result_of(events).sentence == "36 images have 1,568 features by efficientnetlite0."
    found = by_path(discs)
    assert len(found) == 36 and {len(row) for row in found.values()} == {1568}
    rows = np.stack(list(found.values()))
    assert np.isfinite(rows).all() and rows.std(axis=0).min() > 0
    assert not (discs / "mia").exists() and not discs.with_name("discs.mia").exists()


def test_discs_of_one_colour_are_nearest_to_each_other(discs: Path) -> None:
    make(discs)
    found = by_path(discs)
    rows = np.stack(list(found.values()))
    rows = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-3)
    colours = np.array([path.partition("/")[0] for path in found])
    distances = np.square(rows[:, None] - rows).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    assert np.mean(colours[distances.argmin(axis=1)] == colours) == 1.0


def test_only_new_and_changed_images_are_computed(discs: Path) -> None:
    make(discs)
    before = by_path(discs)
    draw_disc(discs / "red", "new.png", size_px=40, red=True, seed=500)
    draw_disc(discs / "red", "cell-3.png", size_px=40, red=True, seed=501)
    result, events = make(discs)
    assert result.outcome == "finished" and computed(events) == 2
    after = by_path(discs)
    assert len(after) == 37
    assert not np.array_equal(before["red/cell-3.png 0"], after["red/cell-3.png 0"])
    assert all(np.array_equal(before[name], after[name]) for name in before if name != "red/cell-3.png 0")


def test_renamed_files_and_copies_of_a_dataset_are_found_by_content(discs: Path, tmp_path: Path) -> None:
    make(discs)
    before = by_path(discs)
    (discs / "red").rename(discs / "other")
    os.utime(discs / "blue" / "cell-1.png", (1, 1))
    copy = tmp_path / "copy"
    shutil.copytree(discs, copy)
    for root in (discs, copy):
        _, events = make(root)
        assert computed(events) == 0
        after = by_path(root)
        assert len(after) == 36
        assert np.array_equal(before["red/cell-5.png 0"], after["other/cell-5.png 0"])


def test_a_stopped_job_keeps_what_it_made_and_the_next_makes_the_rest(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr(control, "_LOOK_EVERY_S", 0.0)
    run = create_features(discs, threads=1, batch_size=4)
    seen = 0

    def stop_soon(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, ProgressMade) and 0 < event.done < 36
        if seen == 1:
            run.stop.touch()

    assert work(run, foreground=False, observe=stop_soon).outcome == "stopped"
    kept = by_path(discs)
    assert 4 <= len(kept) < 36
    result, events = make(discs)
    assert result.outcome == "finished" and computed(events) == 36 - len(kept)
    assert len(by_path(discs)) == 36


def test_a_stop_is_obeyed_while_files_are_compared_with_known_ones(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(discs)
    copy = tmp_path / "copy"
    shutil.copytree(discs, copy)
    monkeypatch.setattr(job_module, "_KNOWN_AT_ONCE", 10)
    monkeypatch.setattr(attempt, "PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr(control, "_LOOK_EVERY_S", 0.0)
    run = create_features(copy, threads=1)

    def stop_soon(event: Event) -> None:
        if isinstance(event, ProgressMade):
            run.stop.touch()

    assert work(run, foreground=False, observe=stop_soon).outcome == "stopped"
    assert 0 < len(by_path(copy)) < 36


def test_an_image_that_cannot_be_read_is_named_and_no_work_until_it_changes(discs: Path) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"\x89PNG\r\n")
    _, events = make(discs)
    result = result_of(events)
    assert result.problem_count == 1 and list(result.problems) == ["red/cell-0.png"]
    table, found = FeatureTable.open(discs), list_images(discs)
    assert table is not None and found is not None
    assert (table.places(found.listing) < 0).sum() == 1
    assert not len(table.missing(found.listing))
    draw_disc(discs / "red", "cell-0.png", size_px=40, red=True, seed=3)
    _, events = make(discs)
    assert result_of(events).problem_count == 0 and len(by_path(discs)) == 36


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_job(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = job_module._listed

    def then_changed(*arguments: object) -> object:
        listing = listed(*arguments)  # type: ignore[arg-type]
        draw_disc(discs / "red", "cell-0.png", size_px=40, red=True, seed=900)
        return listing

    monkeypatch.setattr(job_module, "_listed", then_changed)
    assert make(discs)[0].outcome == "finished"
    assert "red/cell-0.png 0" not in by_path(discs)
    monkeypatch.undo()
    make(discs)
    assert "red/cell-0.png 0" in by_path(discs)


def test_deep_images_of_several_channels_are_measured_once_and_keep_their_limits(tmp_path: Path) -> None:
    root = tmp_path / "deep"
    root.mkdir()
    random = np.random.default_rng(0)

    def write(name: str, brightest: int) -> None:
        write_deep(root / name, random.integers(0, brightest, (48, 48), np.uint16))

    for number in range(6):
        write(f"{number}.tif", 3000)
    make(root)
    before = by_path(root)
    first = table_folder(root).description()
    assert first is not None and [limits.dtype for limits in first.input_map.limits] == ["uint16"]
    write("bright.tif", 60000)
    draw_disc(root, "eight.png", size_px=48, red=True, seed=1)
    make(root)
    second = table_folder(root).description()
    assert second is not None and second.generation == 1
    assert [limits.dtype for limits in second.input_map.limits] == ["uint16", "uint8"]
    assert second.input_map.limits[0] == first.input_map.limits[0]
    after = by_path(root)
    assert len(after) == 8 and all(np.array_equal(before[name], after[name]) for name in before)


def test_images_of_four_channels_go_through_a_first_layer_of_four(tmp_path: Path) -> None:
    import tifffile

    root = tmp_path / "channels"
    root.mkdir()
    for number in range(4):
        values = np.random.default_rng(number).integers(0, 4000, (4, 40, 40), np.uint16)
        tifffile.imwrite(root / f"{number}.ome.tif", values, metadata={"axes": "CYX"})
    assert make(root)[0].outcome == "finished"
    found = table_folder(root).description()
    assert found is not None and len(found.input_map.channels) == 4
    assert len(by_path(root)) == 4


def test_a_network_of_a_run_has_features_of_its_own_and_knows_what_it_was_trained_on(discs: Path) -> None:
    run = make_run(discs, epochs=1)
    assert train(run)[0].outcome == "finished"
    result, events = make(discs, run.best_weights)
    assert result.outcome == "finished" and result_of(events).sentence.endswith(f"features by {run.name}.")
    table = FeatureTable.open(discs, network_id(run.best_weights))
    assert table is not None and RunDir(Path(table.network.run)).train_job()
    found = list_images(discs)
    assert found is not None
    parts = [TRAINED_ON[part] for part in table.parts[table.places(found.listing)].tolist()]
    samples = {sample.path: sample.split for sample in run.samples()}
    assert parts == [samples[key.path] for key in found.listing.keys(np.arange(36, dtype=np.int32))]
    assert {"train", "val"} <= set(parts)
    assert FeatureTable.open(discs) is None  # of the network that comes with the program
    make(discs)
    shipped = FeatureTable.open(discs)
    assert shipped is not None and shipped.network.run == "" and not shipped.parts.any()


def test_weights_that_changed_since_the_job_was_made_are_refused(discs: Path) -> None:
    run = make_run(discs, epochs=1)
    train(run)
    job = create_features(discs, run.best_weights, threads=1)
    other = make_run(discs, epochs=1, seed=5)
    train(other)
    shutil.copy(other.best_weights, run.best_weights)
    result = work(job, foreground=False)
    assert result.error is not None and "holds other weights than when this job was started" in str(
        result.error
    )


def test_more_features_than_there_may_be_are_refused_before_anything_is_made(discs: Path) -> None:
    result, _ = make(discs, most_bytes=1000)
    assert result.error is not None and "features_gb in config.toml sets how much" in str(result.error)


def test_rows_of_images_that_are_gone_are_removed_when_they_are_most(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "_GARBAGE", 2)
    make(discs)
    before = by_path(discs)
    shutil.rmtree(discs / "red")
    make(discs)
    table = FeatureTable.open(discs)
    assert table is not None and len(table) == 12
    after = by_path(discs)
    assert all(np.array_equal(before[name], after[name]) for name in after) and len(after) == 12
