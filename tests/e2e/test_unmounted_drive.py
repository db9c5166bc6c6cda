"""A drive with a dataset and its runs that is really unmounted while a run is at work, and mounted again."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from patience import LONGEST_S
from run_support import python

pytestmark = pytest.mark.e2e

CODE = """
    import subprocess, threading
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from disc_support import draw_disc
    from training_support import assert_same_weights, at, both, make_run, soon, train, waits
    from mia_tui.engine.training import train as train_module
    from mia_tui.runs.record.events import Phase, StepEnded
    from mia_tui.runs.record.state import read_state

    train_module.EMIT_EVERY_S = 0.0
    store, drive = Path(sys.argv[1]) / "store", Path(sys.argv[1]) / "drive"
    for index in range(18):
        draw_disc(store / "discs" / "red", f"{index}.png", size_px=40, red=True, seed=index)
        draw_disc(store / "discs" / "blue", f"{index}.png", size_px=40, red=False, seed=100 + index)
    drive.mkdir()

    def mount():
        subprocess.run(["mount", "--bind", store, drive], check=True)

    mount()
    whole, blinking = (make_run(drive / "discs", cache="none") for _ in range(2))
    train(whole)
    vanish = at(StepEnded, lambda: subprocess.run(["umount", "-l", drive], check=True), epoch=2, step=1)
    result, events = train(blinking, on_event=both(vanish, at(Phase, soon(mount), name="waiting")))
    assert_same_weights(blinking, whole)
    print(result.outcome, len(waits(events)), [row.epoch for row in read_state(blinking).epochs])
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is a program of Linux")
def test_a_drive_that_is_unmounted_and_mounted_again_makes_no_difference(tmp_path: Path) -> None:
    rights = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
    engine_tests = Path(__file__).resolve().parents[1] / "engine"
    done = subprocess.run(
        python(CODE, tmp_path, engine_tests, prefix=["unshare", *rights]),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "finished 1 [1, 2, 3]"
