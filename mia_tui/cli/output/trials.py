"""What is printed of the trials of a training."""

from collections.abc import Sequence
from typing import Any

import msgspec

from mia_tui.cli.output.report import Report
from mia_tui.runs.record.trials import Trial, TrialsChoice
from mia_tui.text import duration


def print_trials(report: Report, trials: Sequence[Trial], choice: TrialsChoice | None) -> None:
    """Print the trials of a training as a table, if it did any itself, and what was chosen."""
    if trials:
        _print_table(report, trials, choice)
    if choice is not None:
        report.say(choice.why)


def _print_table(report: Report, trials: Sequence[Trial], choice: TrialsChoice | None) -> None:
    names = [name for name in ("lr", "weight_decay", "epochs") if name in trials[0].settings]
    heads = {"lr": "learning rate", "weight_decay": "weight decay", "epochs": "epochs"}
    rows: list[list[object]] = []
    for trial in trials:
        gain = f"{trial.gain:+.4f} ± {trial.error:.4f}" if trial.number > 1 else ""
        mark = "chosen" if choice is not None and choice.number == trial.number else ""
        settings = [f"{trial.settings[name]:.4g}" for name in names]
        rows.append(
            [
                trial.number,
                *settings,
                f"{trial.score:.4f}",
                gain,
                f"{trial.accuracy:.4f}",
                duration(trial.seconds),
                mark,
            ]
        )
    columns = ["trial", *(heads[name] for name in names), "loss", "gain", "accuracy", "time", ""]
    report.table(columns, rows)


def trials_record(trials: Sequence[Trial], choice: TrialsChoice | None) -> dict[str, Any] | None:
    """The trials of a training as an object of --json; None where it had none."""
    if not trials and choice is None:
        return None
    return {"trials": msgspec.to_builtins(list(trials)), "choice": choice}
