import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from run_support import make_job, make_predict_job, make_run, on_small_disk

from mia_tui.dataset.model import ImageKey
from mia_tui.errors import ConfigError, RunError
from mia_tui.files import remove_leftovers
from mia_tui.paths import StateFolder
from mia_tui.runs.disk import make_folder, replacing, write_atomically
from mia_tui.runs.record.job import JobClass, RunNotes, Sample
from mia_tui.runs.record.layout import RunDir

AT_1432 = time.mktime((2026, 11, 23, 14, 32, 5, 0, 0, -1))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_run_folder_is_named_by_its_minute_and_backbone(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", name="resnet50v2", created_at=AT_1432)
    assert run.path == tmp_path / "mia" / "runs" / "20261123-1432-resnet50v2"


def test_runs_of_the_same_minute_are_numbered(tmp_path: Path) -> None:
    names = [make_run(tmp_path / "mia", created_at=AT_1432).name for _ in range(3)]
    assert names == [f"20261123-1432-resnet18{end}" for end in ("", "-2", "-3")]


def test_runs_started_at_once_get_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: make_run(tmp_path / "mia", created_at=AT_1432), range(24)))
    assert len({run.path for run in runs}) == 24
    assert all(run.exists() for run in runs)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("timm:resnet18.a1_in1k", "timm-resnet18.a1_in1k"),
        ("../../etc/x", "etc-x"),
        ("größe zwei", "gr-e-zwei"),
        ("///", "run"),
        ("x" * 300, "x" * 60),
    ],
)
def test_any_name_makes_a_harmless_folder_name(tmp_path: Path, name: str, end: str) -> None:
    run = make_run(tmp_path / "mia", name=name, created_at=AT_1432)
    assert run.name == f"20261123-1432-{end}"
    assert run.path.parent == tmp_path / "mia" / "runs"


def test_a_training_of_an_earlier_version_says_that_each_image_was_stretched_by_itself(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "mia")
    assert run.train_job().config.intensity == "dataset"
    values = json.loads(run.job_bytes())
    del values["numbering"], values["config"]["intensity"]
    (run.path / "job.json").write_text(json.dumps(values))
    assert run.train_job().config.intensity == "image"


def test_job_and_samples_come_back_as_they_were_whatever_the_names(tmp_path: Path) -> None:
    strange = os.fsdecode(b"a\xff%41\n.png")
    job = make_job(tmp_path / "mia", command=f"mia-tui train {strange}", group_by="100%")
    job = msgspec.structs.replace(job, classes=[JobClass(3, strange), JobClass(1, "größe")])
    samples = [
        Sample("100%/x.png", 0, "train"),
        Sample(strange, 1, "val", frame=1000),
        Sample("plain.tif", 1, "test"),
    ]
    run = RunDir.create(StateFolder(tmp_path / "mia"), job, samples, name="resnet18")
    assert run.job() == job
    assert run.samples() == samples
    lines = (run.path / "samples.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {"path": "a%FF%2541\n.png", "class": 1, "split": "val", "frame": 1000}
    assert json.loads(lines[2]) == {"path": "plain.tif", "class": 1, "split": "test"}


def test_a_prediction_comes_back_with_its_images(tmp_path: Path) -> None:
    state, strange = tmp_path / "mia", ImageKey(os.fsdecode(b"a\xff%.tif"), 7)
    job = make_predict_job(state, images="listed", scope="1 image", out="/out/100%.csv", shard=(1, 2))
    run = RunDir.create(StateFolder(state), job, name="predict", images=[strange])
    assert run.job() == run.predict_job() == job
    assert (run.job().kind, run.images()) == ("predict", [strange])
    whole = RunDir.create(StateFolder(state), make_predict_job(state), name="predict")
    assert whole.images() is None


def test_a_run_without_kind_is_a_training(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia")
    raw = json.loads((run.path / "job.json").read_text())
    assert raw.pop("kind") == "train"
    (run.path / "job.json").write_text(json.dumps(raw))
    assert run.train_job() == make_run(tmp_path / "mia", created_at=raw["created_at"]).job()


def test_a_run_of_another_kind_is_one_sentence(tmp_path: Path) -> None:
    state = tmp_path / "mia"
    run = RunDir.create(StateFolder(state), make_predict_job(state), name="predict")
    with pytest.raises(RunError, match="is not a training, but of another kind: prediction"):
        run.train_job()
    with pytest.raises(RunError, match="is not a prediction, but of another kind: training"):
        make_run(state).predict_job()


def test_the_job_never_changes_and_what_changes_later_comes_with_it(tmp_path: Path) -> None:
    run, other = make_run(tmp_path / "mia"), make_run(tmp_path / "mia")
    before = run.job_bytes()
    run.put_after(other)
    run.put_threads(3)
    run.put_dataset(tmp_path / "moved")
    job = run.job()
    assert (job.after, job.threads, job.moved_to) == (str(other.path), 3, str(tmp_path / "moved"))
    run.put_after(None)
    assert run.job().after is None
    assert run.job_bytes() == before


def test_a_wait_written_into_the_job_by_an_earlier_version_counts_and_can_be_ended(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia")
    raw = json.loads((run.path / "job.json").read_text()) | {"after": "/somewhere/runs/x", "threads": 2}
    (run.path / "job.json").write_text(json.dumps(raw))
    assert run.job().after == "/somewhere/runs/x"
    run.put_after(None)
    assert (run.job().after, run.job().threads) == (None, 2)


def test_notes_come_back_whatever_they_say_and_damaged_ones_are_none(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia")
    assert run.notes() == RunNotes()
    notes = RunNotes(title="best 100%", tags=("größe", "a b"), note=f"two\nlines {os.fsdecode(b'x')}")
    run.put_notes(notes)
    assert run.notes() == notes
    (run.path / "notes.json").write_text("{")
    assert run.notes() == RunNotes()
    assert run.exists()


def test_a_run_without_samples_is_a_run(tmp_path: Path) -> None:
    assert make_run(tmp_path / "mia").samples() == []


def test_a_folder_without_a_job_is_no_run_and_says_so(tmp_path: Path) -> None:
    for call in (lambda: RunDir.open(tmp_path), RunDir(tmp_path).job, RunDir(tmp_path).samples):
        with pytest.raises(RunError, match=r"is not a run: it holds no .*`mia-tui runs list DATASET`"):
            call()
    with pytest.raises(RunError, match="is not a folder"):
        RunDir.open(tmp_path / "missing")
    assert not RunDir(tmp_path).exists()


def test_opening_a_run_gives_the_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia")
    assert RunDir.open(run.path) == run


@pytest.mark.parametrize("content", [b"", b"{", b'{"kind":"train"}', b'{"kind":"dance"}', b'"\xff"', b"[]"])
def test_a_damaged_job_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    run = make_run(tmp_path / "mia")
    (run.path / "job.json").write_bytes(content)
    with pytest.raises(RunError, match=r"cannot read job\.json of the run .*resnet18"):
        run.job()


def test_a_job_of_a_later_version_is_one_sentence(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia")
    raw = json.loads((run.path / "job.json").read_text())
    raw["config"]["telepathy"] = True
    (run.path / "job.json").write_text(json.dumps(raw))
    with pytest.raises(RunError, match="telepathy"):
        run.job()


def test_damaged_samples_are_one_sentence(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", samples=[Sample("a.png", 0, "train")])
    with (run.path / "samples.jsonl").open("a") as file:
        file.write('{"path": "b.p')
    with pytest.raises(RunError, match=r"samples\.jsonl of the run .* is damaged"):
        run.samples()


def test_files_follow_group_and_mode_of_the_dataset_folder(tmp_path: Path) -> None:
    dataset = tmp_path / "shared"
    dataset.mkdir()
    if os.geteuid() == 0:
        os.chown(dataset, -1, 4242)
    dataset.chmod(0o2770)
    run = make_run(dataset / "mia")
    write_atomically(run.path / "new.json", b"x")
    for folder in (dataset / "mia", run.path.parent, run.path):
        assert mode(folder) == 0o2770
    for file in (run.path / "job.json", run.path / "samples.jsonl", run.path / "new.json"):
        assert mode(file) == 0o660
        assert file.stat().st_gid == dataset.stat().st_gid


def test_nothing_is_made_writable_by_everybody(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    run = make_run(tmp_path / "mia")
    assert mode(run.path) == 0o775
    assert mode(run.path / "job.json") == 0o664


def test_a_replaced_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_atomically(file, b"old")
    with pytest.raises(ZeroDivisionError), replacing(file) as out:
        out.write(b"half")
        raise ZeroDivisionError
    assert file.read_bytes() == b"old"
    write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.json"]


def test_an_error_of_the_disk_behind_another_error_is_the_one_told(tmp_path: Path) -> None:
    def save_as_torch_does() -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 704 vs 598")  # noqa: B904

    with pytest.raises(RunError, match="is full"), replacing(tmp_path / "last.pt"):
        save_as_torch_does()
    with pytest.raises(RuntimeError, match="a bug"), replacing(tmp_path / "last.pt"):
        raise RuntimeError("a bug")
    assert list(tmp_path.iterdir()) == []


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f".x.json.{number:016x}.tmp").write_bytes(b"half a checkpoint")
    (tmp_path / ".y.json.0123456789abcdef.tmp").write_bytes(b"of another writer")
    (tmp_path / ".x.json.swp").write_bytes(b"of an editor")
    (tmp_path / ".x.json.tmp").mkdir()  # a name that is not random: of another program, or a person
    remove_leftovers(tmp_path, of="x.json".__eq__)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        ".x.json.swp",
        ".x.json.tmp",
        ".y.json.0123456789abcdef.tmp",
    ]


def test_a_file_where_a_folder_belongs_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mia").write_bytes(b"")
    with pytest.raises(RunError, match="mia"):
        make_folder(tmp_path / "mia" / "runs")
    with pytest.raises(RunError, match="cannot be used: it is a file"):
        make_folder(tmp_path / "mia")


CREATE = """
    from pathlib import Path
    from mia_tui.errors import ConfigError
    from mia_tui.runs.record.job import Sample
    from run_support import make_run
    state = Path(sys.argv[1]) / "mia"
    try:
        make_run(state, samples=[Sample(f"image-{i}.png", 0, "train") for i in range(30_000)])
    except ConfigError as error:
        print(error)
    print("left:", sorted(path.name for path in state.glob("runs/*")))
"""


def test_a_full_disk_is_one_sentence_and_leaves_no_half_run(tmp_path: Path) -> None:
    said = on_small_disk(tmp_path / "disk", CREATE, tmp_path / "disk")
    assert said.startswith("The disk that holds ") and "--state DIR" in said
    assert said.endswith("left: []")


def test_a_read_only_disk_is_one_sentence_that_names_state(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    said = on_small_disk(disk, CREATE, disk, finally_='mount -o remount,ro "$0"')
    assert "is on a read-only disk" in said and "--state DIR" in said


def test_a_disk_that_fills_up_leaves_the_old_file_in_place(tmp_path: Path) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        """
        from pathlib import Path
        from mia_tui.errors import RunError
        from mia_tui.runs.disk import write_atomically
        folder = Path(sys.argv[1])
        write_atomically(folder / "last.pt", b"old")
        try:
            write_atomically(folder / "last.pt", bytes(2_000_000))
        except RunError as error:
            print(error)
        print((folder / "last.pt").read_bytes(), [path.name for path in folder.iterdir()])
        """,
        tmp_path / "disk",
    )
    assert said.startswith("The disk that holds ")
    assert said.endswith("b'old' ['last.pt']")


def test_a_folder_that_may_not_be_written_names_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)  # root may write anywhere, so the refusal is made here
    with pytest.raises(ConfigError, match=r"You may not write to .*--state DIR"):
        make_run(tmp_path / "mia")


def test_what_a_worker_saves_does_not_bring_a_deleted_run_back(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file"):
        make_folder(tmp_path / "run" / "checkpoints")
    assert not (tmp_path / "run").exists()
