import os
import shutil
from pathlib import Path

import pytest
from run_support import epoch_row, make_predict_job, make_run, started

from mia_tui.dataset.recent import remember_dataset
from mia_tui.errors import ConfigError, RunError
from mia_tui.paths import StateFolder, user_jobs, user_state
from mia_tui.runs.list.find import find_run, list_runs, recent_runs, remember_run, runs_of
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.record.job import RunNotes
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    folder.mkdir()
    return folder


def a_run(dataset: Path, name: str, *, day: int = 1, state: str = "mia", **config: object) -> RunDir:
    return make_run(dataset / state, name=name, created_at=1e9 + day * 86400, **config)


def rate(run: RunDir, **val: float) -> None:
    with EventLog(run.events) as log:
        log.append(started())
        log.append(epoch_row(1, **val))


def test_runs_are_listed_oldest_first_and_other_folders_passed_over(dataset: Path) -> None:
    state = StateFolder(dataset / "mia")
    assert list_runs(state) == []
    runs = [a_run(dataset, "b", day=2), a_run(dataset, "c", day=1), a_run(dataset, "a", day=3)]
    (state.runs / "notes").mkdir()
    (state.runs / "readme.txt").write_text("x")
    assert list_runs(state) == [runs[1], runs[0], runs[2]]


def test_a_run_with_a_damaged_job_is_still_listed(dataset: Path) -> None:
    run = a_run(dataset, "a")
    (run.path / "job.json").write_bytes(b"\xff")
    assert list_runs(StateFolder(dataset / "mia")) == [run]


def test_a_run_is_found_by_name_beginning_and_folder(dataset: Path) -> None:
    run, other = a_run(dataset, "vgg16", day=1), a_run(dataset, "xception", day=40)
    assert find_run(run.name, dataset=dataset) == run
    assert find_run(other.name[:8], dataset=dataset) == other
    assert find_run(str(run.path)) == run
    assert find_run(run.name, dataset=dataset, state=dataset / "mia") == run


def test_an_empty_name_means_no_run_not_the_only_one(dataset: Path) -> None:
    a_run(dataset, "vgg16")
    with pytest.raises(ConfigError, match=r"Which run\? Its name is empty\."):
        find_run("", dataset=dataset)


def test_the_whole_name_wins_over_the_beginning_of_another(dataset: Path) -> None:
    run, second = a_run(dataset, "vgg16"), a_run(dataset, "vgg16")
    assert second.name == run.name + "-2"
    assert find_run(run.name, dataset=dataset) == run


def test_a_folder_of_the_users_own_does_not_hide_a_run(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(dataset, "vgg16")
    monkeypatch.chdir(tmp_path)
    (tmp_path / run.name[:6]).mkdir()
    assert find_run(run.name[:6], dataset=dataset) == run
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="empty is not a run"):
        find_run("empty", dataset=dataset)


def test_an_ambiguous_beginning_names_the_runs(dataset: Path) -> None:
    runs = [a_run(dataset, "vgg16"), a_run(dataset, "vgg19")]
    with pytest.raises(ConfigError) as caught:
        find_run(runs[0].name[:10], dataset=dataset)
    assert caught.value.message.startswith("2 runs in ")
    assert all(str(run.path) in caught.value.message for run in runs)


def test_a_near_miss_is_suggested(dataset: Path) -> None:
    run = a_run(dataset, "vgg16")
    with pytest.raises(ConfigError, match=rf"no run called .* in .*cells\. Did you mean {run.name}\?"):
        find_run(run.name.replace("vgg16", "vgg61"), dataset=dataset)
    with pytest.raises(ConfigError, match="mia-tui runs list"):
        find_run("zzz", dataset=dataset)


def test_both_places_of_a_dataset_are_looked_through(dataset: Path) -> None:
    inside, beside = a_run(dataset, "vgg16", day=1), a_run(dataset, "vgg19", day=2, state="../cells.mia")
    assert find_run(inside.name, dataset=dataset) == inside
    assert find_run("last", dataset=dataset).name == beside.name
    (dataset / "mia" / "labels.db").touch()
    assert find_run(inside.name, dataset=dataset) == inside
    assert find_run("last", dataset=dataset).name == beside.name


def test_last_is_the_newest_of_the_dataset(dataset: Path) -> None:
    with pytest.raises(ConfigError, match=r"no run in .*cells yet"):
        find_run("last", dataset=dataset)
    a_run(dataset, "z", day=1)
    newest = a_run(dataset, "a", day=2)
    assert find_run("last", dataset=dataset) == newest


def test_last_without_a_dataset_is_the_users_newest_run(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run among your recent ones yet"):
        find_run("last")
    runs = [a_run(dataset, "a"), a_run(tmp_path / "other", "b"), a_run(dataset, "c")]
    for run in (*runs, runs[1]):
        remember_run(run)
    assert recent_runs() == [runs[0], runs[2], runs[1]]
    assert find_run("last") == runs[1]
    assert find_run(runs[0].name) == runs[0]
    (runs[1].path / "job.json").unlink()
    assert find_run("last") == runs[2]


def test_recent_runs_of_any_name_are_remembered_and_not_without_end(tmp_path: Path) -> None:
    strange = make_run(tmp_path / os.fsdecode(b"100%\xff\n") / "mia")
    plain = make_run(tmp_path / "mia")
    for _ in range(300):
        remember_run(plain)
    remember_run(strange)
    with (user_state() / "recent-runs").open("a") as file:
        file.write('"cut by a full di')
    assert recent_runs() == [plain, strange]
    assert len((user_state() / "recent-runs").read_text().splitlines()) <= 201


def test_a_user_folder_that_cannot_be_written_is_no_matter(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    remember_run(a_run(dataset, "a"))
    assert recent_runs() == []


def test_best_is_the_run_whose_best_epoch_has_the_best_value(dataset: Path) -> None:
    runs = [a_run(dataset, name, day=day) for day, name in enumerate("abcd")]
    rate(runs[0], macro_f1=0.5)
    rate(runs[1], macro_f1=0.9)
    rate(runs[2], macro_f1=0.7)
    assert find_run("best", dataset=dataset) == runs[1]
    assert find_run("best", state=dataset / "mia") == runs[1]


def test_best_of_runs_that_watched_different_figures_goes_by_the_newest_runs_figure(dataset: Path) -> None:
    first = a_run(dataset, "a", day=1, metric="accuracy")
    rate(first, accuracy=0.99, mcc=0.1)
    second = a_run(dataset, "b", day=2, metric="mcc")
    rate(second, accuracy=0.5, mcc=0.3)
    assert find_run("best", dataset=dataset) == second


def test_runs_that_watch_their_losses_are_compared_by_macro_f1(dataset: Path) -> None:
    first = a_run(dataset, "a", day=1, metric="loss")
    rate(first, macro_f1=0.9, loss=0.5)
    second = a_run(dataset, "b", day=2, metric="loss")
    rate(second, macro_f1=0.8, loss=0.01)  # another loss, perhaps: its size says nothing
    assert find_run("best", dataset=dataset) == first


def test_best_needs_a_dataset_and_figures(dataset: Path) -> None:
    with pytest.raises(ConfigError, match="--dataset"):
        find_run("best")
    run = a_run(dataset, "a")
    with pytest.raises(ConfigError, match="metrics of a validation part"):
        find_run("best", dataset=dataset)
    rate(run, macro_f1=0.5)
    (a_run(dataset, "b").path / "job.json").write_bytes(b"{}")
    assert find_run("best", dataset=dataset) == run


def test_a_dataset_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        find_run("last", dataset=tmp_path / "missing")


def test_last_finds_the_newest_run_in_a_moved_dataset_that_was_opened_since(
    dataset: Path, tmp_path: Path
) -> None:
    older = a_run(tmp_path / "other", "older")
    newest = a_run(dataset, "newest")
    for run in (older, newest):
        remember_run(run)
    moved = dataset.rename(tmp_path / "moved")
    with pytest.raises(ConfigError, match=r"Your newest run, \S+-newest, was in \S+mia, which is gone"):
        find_run("last")  # never an older run in its place
    remember_dataset(moved, None, None)
    assert find_run("last").path == moved / "mia" / "runs" / newest.name
    shutil.rmtree(moved / "mia" / "runs" / newest.name)
    remember_run(older)
    assert find_run("last") == older


def test_last_passes_over_runs_that_were_deleted(dataset: Path) -> None:
    kept, deleted = a_run(dataset, "kept"), a_run(dataset, "deleted")
    for run in (kept, deleted):
        remember_run(run)
    shutil.rmtree(deleted.path)
    assert find_run("last") == kept


def test_a_run_that_cannot_be_looked_at_does_not_hide_the_others(dataset: Path, tmp_path: Path) -> None:
    """Its name is too long here; a private folder, and a drive that is away, raise in the same way."""
    run = a_run(dataset, "vgg16")
    remember_run(run)
    with (user_state() / "recent-runs").open("a") as lines:
        lines.write(f'"{tmp_path}/{"x" * 300}/runs/lost"\n')
    assert [found.name for found in recent_runs()] == [run.name]
    assert recent_runs()[-1].name == run.name


def test_a_job_with_folders_that_cannot_be_looked_at_is_found_where_it_lies(dataset: Path) -> None:
    run = a_run(dataset, "vgg16")
    nowhere = f"/{'x' * 300}"
    content = run.job_bytes().replace(str(dataset).encode(), nowhere.encode())
    (run.path / "job.json").write_bytes(content)
    assert current_job(run).dataset == str(dataset.resolve())
    run.put_dataset(Path(nowhere))
    assert current_job(run).dataset == str(dataset.resolve())


def test_names_and_last_mean_trainings_unless_any_kind_is_asked_for(dataset: Path) -> None:
    training = make_run(dataset / "mia", created_at=1.0)
    prediction = RunDir.create(
        StateFolder(dataset / "mia"), make_predict_job(dataset / "mia"), name="predict-resnet18"
    )
    assert find_run("last", dataset=dataset) == training
    assert find_run("last", dataset=dataset, kind=None) == find_run("last", dataset=dataset, kind="predict")
    assert find_run(prediction.name, dataset=dataset, kind=None) == prediction
    with pytest.raises(ConfigError, match="is a prediction, and a training is needed"):
        find_run(str(prediction.path))


def test_a_run_is_found_by_the_title_that_a_person_gave_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia")
    make_run(tmp_path / "mia")
    run.put_notes(RunNotes(title="with rotation"))
    assert find_run("with rot", state=tmp_path / "mia") == run


def test_jobs_on_a_folder_that_is_no_dataset_are_listed_with_it(tmp_path: Path) -> None:
    images = tmp_path / "plain"
    images.mkdir()
    place = user_jobs(images)
    run = RunDir.create(place, make_predict_job(place.root), name="predict")
    assert runs_of(images, None) == [run]
    assert runs_of(images.parent, None) == []
    assert not any(images.iterdir())
