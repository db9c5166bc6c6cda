"""A run that version 0.1.0 began on stacks, when every page of a TIFF was an image."""

import json
from pathlib import Path

import pytest
from stack_support import RESUMED_LOSSES, labelled_stacks
from training_support import train

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.create import create_evaluation
from mia_tui.runs.evaluation.evaluation_set import choose_evaluation_set
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.list.moved_dataset import current_job, present_samples, update_dataset_path
from mia_tui.runs.prediction.create import create_prediction
from mia_tui.runs.prediction.suggestions import SuggestionSet, read_suggestions, suggestion_sets
from mia_tui.runs.preflight.prepare import read_dataset
from mia_tui.runs.record.events import EpochEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card
from mia_tui.runs.record.state import read_state
from mia_tui.worker import work


@pytest.fixture
def old_run(tmp_path: Path) -> RunDir:
    root = labelled_stacks(tmp_path / "cells")
    [run] = [run for run in list_runs(StateFolder(root / "mia")) if run.job().kind == "train"]
    update_dataset_path(run, root)
    return run


def test_a_training_of_an_earlier_version_is_resumed_on_the_same_images(old_run: RunDir) -> None:
    assert old_run.job().numbering == 1
    result, events = train(old_run)
    assert result.outcome == "finished"
    losses = {
        event.epoch: (event.train["loss"], event.val["loss"])
        for event in events
        if isinstance(event, EpochEnded) and event.val is not None
    }
    assert losses == {epoch: pytest.approx(wanted, rel=1e-4) for epoch, wanted in RESUMED_LOSSES.items()}


def test_a_prediction_of_an_earlier_version_is_shown_at_the_frames_of_today(tmp_path: Path) -> None:
    root = labelled_stacks(tmp_path / "cells")
    state = StateFolder(root / "mia")
    [known] = suggestion_sets([state], root)
    before = [json.loads(line) for line in known.run.suggestions.read_bytes().splitlines()[1:-1]]
    found = read_suggestions(known)
    keys = set(found.keys)
    assert keys == set(scan(root, frames="all").keys)
    sure = dict(zip(found.keys, found.confidences.tolist(), strict=True))
    of_channels = [row[3] for row in before if row[0] == "stacks/hyper.tif" and row[1] in (2, 3)]
    assert len(of_channels) == 2
    assert sure[ImageKey("stacks/hyper.tif", 1)] == pytest.approx(min(of_channels))
    assert found.left_out == 0


def test_a_prediction_of_a_stack_that_is_gone_is_left_out(tmp_path: Path) -> None:
    root = labelled_stacks(tmp_path / "cells")
    (root / "stacks/hyper.tif").unlink()
    [known] = suggestion_sets([StateFolder(root / "mia")], root)
    found = read_suggestions(known)
    assert found.left_out == 5  # of its pages but the first, which may have been a single image
    assert not any(key.path == "stacks/hyper.tif" and key.frame > 0 for key in found.keys)


def test_an_evaluation_knows_what_an_old_run_trained_on_by_the_frames_of_today(old_run: RunDir) -> None:
    root = Path(current_job(old_run).dataset)
    dataset = read_dataset(root, frames="all", follow=True)
    evaluated = choose_evaluation_set(dataset, read_card(old_run.best_weights), old_run, "all")
    trained = {("stacks/hyper.tif", 3), ("stacks/pages.tif", 3), ("stacks/times.ome.tif", 2)}
    wanted = sum(count for _, count in trained) + 4  # four single images
    assert evaluated.trained_on == wanted
    [job] = [evaluated]
    assert len(job.truth) == len(dataset.labelled.labels)


def test_an_old_network_predicts_the_frames_of_today(old_run: RunDir) -> None:
    root = Path(current_job(old_run).dataset)
    run = create_prediction(root, old_run.best_weights, frames="all")
    assert work(run, foreground=False, observe=lambda event: None).outcome == "finished"
    [known] = [
        known for known in suggestion_sets([StateFolder(root / "mia")], root) if known.run.path == run.path
    ]
    found = read_suggestions(known)
    assert set(found.keys) == set(scan(root, frames="all").keys)
    before = dict(old_confidences(old_run))
    sure = dict(zip(found.keys, found.confidences.tolist(), strict=True))
    single = [key for key in sure if "/" not in key.path or key.path == "stacks/pages.tif"]
    assert {key: sure[key] for key in single} == {key: pytest.approx(before[key], abs=1e-4) for key in single}


def old_confidences(old_run: RunDir) -> list[tuple[ImageKey, float]]:
    [run] = [
        run
        for run in list_runs(StateFolder(old_run.path.parent.parent))
        if run.job().numbering == 1 and run.job().kind == "predict"
    ]
    lines = run.suggestions.read_bytes().splitlines()[1:-1]
    return [(ImageKey(path, frame), sure) for path, frame, _, sure, *_ in map(json.loads, lines)]


def test_an_interrupted_prediction_of_an_earlier_version_goes_on_with_the_images_it_listed(
    old_run: RunDir,
) -> None:
    before = dict(old_confidences(old_run))
    [run] = [run for run in list_runs(StateFolder(old_run.path.parent.parent)) if run.job().kind == "predict"]
    lines = run.events.read_bytes().splitlines(keepends=True)
    run.events.write_bytes(b"".join(lines[:-2]))  # neither the result nor the end
    run.suggestions.unlink()
    assert work(run, foreground=False, observe=lambda event: None).outcome == "finished"
    assert dict(old_confidences(old_run)) == {
        key: pytest.approx(sure, abs=1e-4) for key, sure in before.items()
    }
    assert len(read_suggestions(SuggestionSet(run, "", 0.0, 0)).keys) == 20 + 2  # with the frames of the film


def test_an_interrupted_evaluation_of_an_earlier_version_goes_on_with_its_pages(old_run: RunDir) -> None:
    root = Path(current_job(old_run).dataset)
    dataset = read_dataset(root, frames="all", follow=True)
    chosen = choose_evaluation_set(dataset, read_card(old_run.best_weights), old_run, "all")
    run = create_evaluation(root, old_run.best_weights, chosen)
    values = json.loads(run.job_bytes())
    del values["numbering"]
    (run.path / "job.json").write_text(json.dumps(values))
    (run.path / "samples.jsonl").write_bytes((old_run.path / "samples.jsonl").read_bytes())
    assert (
        max(sample.frame for sample in run.samples() if sample.path == "stacks/hyper.tif") == 5
    )  # of three frames
    assert work(run, foreground=False, observe=lambda event: None).outcome == "finished"
    result = read_state(run).result
    assert result is not None and not result.problems


def test_a_prediction_is_not_continued_in_a_run_that_counts_frames_in_another_way(old_run: RunDir) -> None:
    [run] = [run for run in list_runs(StateFolder(old_run.path.parent.parent)) if run.job().kind == "predict"]
    lines = run.events.read_bytes().splitlines(keepends=True)
    run.events.write_bytes(b"".join(lines[:-2]))
    again = create_prediction(Path(current_job(old_run).dataset), old_run.best_weights, frames="all")
    assert again.path != run.path
    assert again.job().numbering == 2


def test_the_images_behind_a_confusion_of_an_old_run_are_those_of_today(old_run: RunDir) -> None:
    samples = present_samples(old_run, current_job(old_run))
    frames = [sample.frame for sample in samples if sample.path == "stacks/hyper.tif"]
    assert frames == [0, 0, 1, 1, 2]  # pages 0, 1, 2, 3 and 5
