"""`mia-tui rate`: find a learning rate by some steps, each with a larger one than the step before."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import read_labelled
from mia_tui.cli.shared.options import (
    Command,
    Option,
    given_fields,
    json_option,
    path_argument,
    read_settings,
    settings_options,
    state_options,
)
from mia_tui.errors import ConfigError
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.analysis.rate_curve import RateCurve
    from mia_tui.config.train import TrainConfig

_COLUMNS, _ROWS = 72, 16  # of the plot
_DIGITS = 2  # of a suggested rate: more are noise


@click.command("rate", cls=Command)
@path_argument("dataset")
@settings_options
@click.option(
    "--first",
    cls=Option,
    type=click.FloatRange(min=0.0, min_open=True, max=1e6),
    default=1e-7,
    show_default=True,
    help="Learning rate of the first step.",
)
@click.option(
    "--last",
    cls=Option,
    type=click.FloatRange(min=0.0, min_open=True, max=1e6),
    default=1.0,
    show_default=True,
    help="Learning rate of the last step; it ends before that once the loss is four times its smallest value.",
)
@click.option(
    "--steps",
    cls=Option,
    type=click.IntRange(min=20, max=10_000),
    default=100,
    show_default=True,
    help="Steps from the first rate to the last.",
)
@click.option(
    "--save",
    cls=Option,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the settings with the suggested rate to a file, for --config and for the form of the app.",
)
@json_option
@state_options
def command(
    dataset: Path,
    first: float,
    last: float,
    steps: int,
    save: Path | None,
    as_json: bool,
    state: Path | None,
    annotator: str | None,
    **settings: Any,
) -> int:
    """Find a learning rate for DATASET: the loss of some steps of a training while the rate rises.

    Takes the settings of `mia-tui train`, and changes nothing of the dataset. Of the rates it suggests one that is
    large and at which the loss still falls steadily; it depends on network, weights, optimizer and batch size.
    """
    from mia_tui.runs.preflight.prepare import prepare_training, with_absolute_paths

    report = Report(as_json=as_json)
    if first >= last:
        raise ConfigError(f"--first {first:g} is not below --last {last:g}.", "Swap them, or leave them out.")
    config = with_absolute_paths(read_settings(settings))
    found = read_labelled(
        report, dataset, state, frames=config.frames, source=config.labels, annotator=annotator
    )
    prepared = prepare_training(found, config, given=given_fields(settings), annotator=annotator, keep=False)
    for note in prepared.notes:
        report.warn(note)

    from mia_tui.engine.rate_finder import find_rate

    with report.counting("Learning rate", unit="steps", total=steps) as bar:
        curve = find_rate(
            prepared.job,
            prepared.samples,
            class_weights=prepared.class_weights,
            first=first,
            last=last,
            steps=steps,
            progress=lambda done: bar.update(done, steps),
            warn=report.warn,
            say=report.note,
        )
    _show(report, curve, config)
    if save is not None and curve.suggestion is not None:
        _save(report, save, config, _rounded(curve.suggestion))
    return 0


def _show(report: Report, curve: "RateCurve", config: "TrainConfig") -> None:
    from mia_tui.analysis.rate_curve import RULE
    from mia_tui.catalog.optimizers import OPTIMIZERS

    default, rate = OPTIMIZERS[config.optimizer].lr, curve.suggestion
    report.record(
        {
            "suggestion": None if rate is None else _rounded(rate),
            "rule": RULE,
            "default": default,
            "rates": curve.rates.tolist(),
            "losses": curve.losses.tolist(),
            "smoothed": curve.smoothed.tolist(),
            "diverged": curve.has_diverged,
        }
    )
    report.say("Loss of steps with a learning rate that rises, drawn over its power of ten:")
    for line in _drawn(curve):
        report.say(line)
    if rate is None:
        report.say("The loss falls nowhere, so no rate is suggested: try more --steps or a larger --last.")
        return
    report.say(f"Suggested: --lr {_rounded(rate):g}, the rate {RULE} (fastai's `valley`).")
    report.say(
        f"The default of {config.optimizer} is {default:g}; half or twice the rate hardly makes a difference."
    )


def _drawn(curve: "RateCurve") -> Sequence[str]:
    """The loss against the rate, as lines of text."""
    from mia_tui.tui.runs.figures.rate_plot import rate_plot
    from mia_tui.tui.runs.figures.text_plots import draw, plain

    unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    return plain(draw(rate_plot(curve), _COLUMNS, _ROWS, unicode=unicode)).splitlines()


def _save(report: Report, file: Path, config: "TrainConfig", rate: float) -> None:
    import msgspec

    from mia_tui.config.settings_file import save_config
    from mia_tui.runs.disk import write_atomically

    text = save_config(msgspec.structs.replace(config, lr=rate))
    write_atomically(file, text.encode("utf-8", "surrogateescape"))
    report.say(
        f"The settings with this rate are in {printable(file)}, for --config and for the form of the app."
    )


def _rounded(rate: float) -> float:
    return float(f"{rate:.{_DIGITS - 1}e}")
