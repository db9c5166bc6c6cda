"""A drive with a dataset and its runs that is really unmounted while a run is at work, and mounted again."""

import sys
from pathlib import Path

import pytest
from worker_nursery import Nursery

pytestmark = pytest.mark.e2e

CODE = """
    import subprocess, threading
    from pathlib import Path
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


@pytest.mark.skipif(sys.platform != "linux", reason="on Linux a process can have mounts of its own")
def test_a_drive_that_is_unmounted_and_mounted_again_makes_no_difference(
    nursery: Nursery, tmp_path: Path
) -> None:
    assert nursery.with_own_mounts(CODE, tmp_path) == "finished 1 [1, 2, 3]"
