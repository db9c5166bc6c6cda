"""Which runs have a network to predict with, or to train on from."""

from collections.abc import Callable

from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError, RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.actions.action import called, named
from mia_tui.runs.list.find import kind_of, list_runs
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import run_status


def no_network(run: RunDir, instead: Callable[[str], str] | None = None) -> ConfigError | None:
    """Why a run cannot predict; None if it can: it is a training that has saved weights.

    Args:
        run: The run.
        instead: What to do in its place, from the name of the run whose network it used, as a sentence begins.

    Raises:
        RunError: If the run cannot be read.
    """
    if kind_of(run) != TrainConfig.kind:
        network = run.job().config.network
        way = "choose that run." if instead is None else instead(network)
        return ConfigError(
            f"The {named(run)} has no network of its own.", f"It used that of {network}: {way}"
        )
    return None if run.best_weights.is_file() else without_weights(run)


def without_weights(run: RunDir) -> ConfigError:
    """The error for a training that has not saved weights; names a run beside it that has."""
    hint = "A run has weights as soon as its first epoch is saved."
    try:
        beside = list_runs(StateFolder(run.path.parent.parent))
    except RunError:
        beside = []
    others = [other for other in beside if other.best_weights.exists()]
    if others:
        hint = f"The newest run beside it that has some is {called(others[-1])}."
    return ConfigError(f"The {named(run)} has no weights; it is {run_status(run)}.", hint)
