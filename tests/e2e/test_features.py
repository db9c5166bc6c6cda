"""Features in real processes: killed at the worst moments, stopped, in the background, on a full disk."""

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from disc_support import make_discs
from program_support import mia, program
from run_support import wait_for
from worker_nursery import Ended, Nursery

from mia_tui.dataset.scan.incremental import list_images
from mia_tui.features.table import FeatureTable
from mia_tui.paths import user_jobs
from mia_tui.runs.features.create import create_features, running_features, start_features
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import request_stop
from mia_tui.runs.worker.liveness import run_status

pytestmark = pytest.mark.e2e

SETTINGS = {"batch_size": 4, "precision": "fp32"}

WORK = """
import os, sys
import mia_tui.engine.jobs.features as features, mia_tui.features.writer as writer, mia_tui.worker as worker
die = lambda: os.kill(os.getpid(), 9)
features._FLUSH_S = 0.0
{setup}
sys.exit(worker.main())
"""

MOMENTS = {
    "before the first row": """
writer.FeatureWriter.append = lambda self, images, features: die()
""",
    "when paths are written and features are not": """
real, calls = writer._write_all, []
def write(file, content):
    calls.append(file)
    if len(calls) == 8:
        os.write(file, bytes(content)[:7])
        die()
    real(file, content)
writer._write_all = write
""",
    "in the middle of a record": """
real, calls = writer._write_all, []
def write(file, content):
    calls.append(file)
    if len(calls) == 9:
        os.write(file, bytes(memoryview(content).cast("B"))[:70])
        die()
    real(file, content)
writer._write_all = write
""",
    "when all rows are written": """
features._Making.finish = lambda self: die()
""",
}


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    return make_discs(tmp_path / "discs")


def work(nursery: Nursery, run: RunDir, setup: str = "") -> Ended:
    return nursery.run(WORK.format(setup=setup), run.path)


def rows(root: Path) -> np.ndarray:
    """The features of all images in the dataset's order; fails if one has none."""
    table, found = FeatureTable.open(root), list_images(root)
    assert table is not None and found is not None
    places = table.places(found.listing)
    assert (places >= 0).all()
    return np.array(table.rows(0, len(table))[places])


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_job_goes_on_with_the_rows_that_were_complete(
    discs: Path, nursery: Nursery, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "whole"))
    assert work(nursery, create_features(discs, threads=1, **SETTINGS)).code == 0
    wanted = rows(discs)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "torn"))
    run = create_features(discs, threads=1, **SETTINGS)
    assert work(nursery, run, MOMENTS[moment]).code == -signal.SIGKILL
    assert run_status(run) == "lost"
    table = FeatureTable.open(discs)
    before = 0 if table is None else len(table)
    assert work(nursery, run).code == 0  # as `runs resume`
    assert np.array_equal(rows(discs), wanted)
    table = FeatureTable.open(discs)
    assert table is not None and len(table) == 36 and before < 37


def test_a_job_in_the_background_can_be_found_stopped_and_started_again(discs: Path) -> None:
    run = start_features(discs, most_bytes=1_000_000_000)
    assert start_features(discs, most_bytes=1_000_000_000) == run or run_status(run) == "finished"
    request_stop(run)
    wait_for(lambda: run_status(run) in ("stopped", "finished"))
    assert running_features(discs) is None
    again = start_features(discs, most_bytes=1_000_000_000)
    wait_for(lambda: run_status(again) == "finished")
    assert len(rows(discs)) == 36
    assert not (discs / "mia").exists()


def test_the_command_stops_at_ctrl_c_and_the_same_command_finishes(discs: Path) -> None:
    before = "import mia_tui.engine.inference.features as f, time; real = f.FeatureMaker._features\n"
    before += "f.FeatureMaker._features = lambda self, pixels: (time.sleep(0.2), real(self, pixels))[1]"
    process = subprocess.Popen(
        program("features", discs, "--batch-size", 2, "--threads", 1, before=before),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_for(lambda: (table := FeatureTable.open(discs)) is not None and len(table) > 0)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait() == 130
    assert "the same command continues where it stopped" in said
    kept = FeatureTable.open(discs)
    assert kept is not None and 0 < len(kept) < 36
    done = mia("features", discs, "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert len(rows(discs)) == 36


def test_a_full_disk_is_said_and_what_was_made_stays(discs: Path, nursery: Nursery, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    code = f"""
        import os, sys
        from pathlib import Path
        os.environ["XDG_CACHE_HOME"] = {os.fspath(small)!r}
        import mia_tui.engine.jobs.features as features
        from mia_tui.features.table import FeatureTable
        from mia_tui.runs.features.create import create_features
        from mia_tui.worker import work
        features._FLUSH_S = 0.0
        root = Path({os.fspath(discs)!r})
        error = work(create_features(root, threads=1, batch_size=4), foreground=False).error
        print(error)
        print(len(FeatureTable.open(root)))
    """
    said, made = nursery.on_small_disk(small, code, options="size=100k").splitlines()
    assert said.startswith("The disk that holds ") and "XDG_CACHE_HOME" in said
    assert 4 <= int(made) < 36


def test_the_log_of_a_finished_job_says_what_was_made(discs: Path, nursery: Nursery) -> None:
    run = create_features(discs, threads=1, **SETTINGS)
    assert work(nursery, run).code == 0
    result = read_state(run).result
    assert result is not None and result.sentence == "36 images have 1,568 features by efficientnetlite0."
    again = create_features(discs)  # there is one run for a network
    assert read_state(again).result is None
    assert [found.path for found in list_runs(user_jobs(discs))] == [again.path]
