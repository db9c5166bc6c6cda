"""Starting a run from the app; blocking, so for a thread."""

from mia_tui.errors import MiaError
from mia_tui.runs.list.index import remember_run
from mia_tui.runs.list.lifecycle import drop_untrained_run
from mia_tui.runs.preflight.prepare import Prepared
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.launch import spawn, trains_on_cpu, wait_until_taken


def start_run(prepared: Prepared, *, after: RunDir | None = None) -> RunDir:
    """Write a run's folder and start its worker; returns when the worker has it, well before it trains.

    Args:
        prepared: The job.
        after: The run whose end it waits for; see `runs.worker.queue.last_in_line`.

    Raises:
        MiaError: If the folder cannot be written or no worker comes up.
    """
    run = prepared.create(after=after)
    remember_run(run)
    try:
        wait_until_taken(run, spawn(run, gives_way=trains_on_cpu(prepared.job.config.device)))
    except MiaError as error:
        drop_untrained_run(run, error)
        raise
    return run
