"""A worker that trains nothing: holds its run, tells steps and epochs, stops when asked. Starts in a blink."""

import subprocess
from pathlib import Path

from run_support import python

from mia_tui.runs.record.layout import RunDir

_CODE = """
    import time
    from pathlib import Path
    from run_support import epoch_row, started, step
    import msgspec
    from mia_tui.runs.worker.control import StopRequest
    from mia_tui.runs.record.log import EventLog
    from mia_tui.runs.record.events import Phase, RunEnded
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.worker.liveness import WorkerLock
    from mia_tui.runs.record.state import read_state
    run = RunDir(Path(sys.argv[1]))
    now = lambda event: msgspec.structs.replace(event, t=time.time())
    with WorkerLock(run), StopRequest(run) as stop, EventLog(run.events) as log:
        stop.install_signals(foreground=False)
        log.append(now(started(read_state(run).attempt + 1)))
        log.append(now(Phase(t=0.0, name="training")))
        number = 0
        print("held", flush=True)
        while not stop.requested():
            number += 1
            log.append(now(step(number // 5 + 1, number % 5)))
            if number % 5 == 0:
                log.append(now(epoch_row(number // 5, macro_f1=1 - 1 / (1 + number / 5))))
            time.sleep(0.1)
        log.append(RunEnded(t=time.time(), outcome="stopped"))
"""


def start_worker(run: RunDir) -> "subprocess.Popen[str]":
    """Returns when it has the run."""
    process = subprocess.Popen(
        python(_CODE, run.path), stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=Path("/")
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process
