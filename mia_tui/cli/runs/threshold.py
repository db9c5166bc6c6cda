"""`mia-tui runs threshold`: below which probability a network is unsure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import (
    Command,
    Decorator,
    Option,
    dataset_option,
    json_option,
    run_argument,
    state_option,
)
from mia_tui.errors import ConfigError
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    from mia_tui.analysis.metrics import Estimate
    from mia_tui.runs.evaluation.threshold import ThresholdChoice, ThresholdRow
    from mia_tui.runs.record.decision import Decision
    from mia_tui.runs.record.layout import RunDir

_MOST_POINTS = 1000  # of the curve, in JSON
_WAYS = ("--accuracy", "--coverage", "--threshold", "--remove")


def _share(flag: str, help: str) -> Decorator:
    kind = click.FloatRange(0.0, 1.0)
    return click.option(flag, cls=Option, type=kind, metavar="P", section="The threshold", help=help)


@click.command("threshold", cls=Command, short_help="Choose when a network is unsure.")
@run_argument
@_share("--accuracy", "As many answers as there can be with this share of them right: 0.99.")
@_share("--coverage", "The surest answers for this share of the images: 0.9.")
@_share("--threshold", "This probability; 0 answers always, at the temperature that is chosen.")
@click.option(
    "--by-class",
    cls=Option,
    is_flag=True,
    section="The threshold",
    help="With --accuracy or --coverage: one for each class, from the images that are predicted as it.",
)
@click.option(
    "--temperature",
    cls=Option,
    type=click.FloatRange(0.01, 100.0),
    metavar="T",
    section="The threshold",
    help="Divides the logits; by default the one that makes probabilities come true best, 1 leaves them as they are.",
)
@click.option(
    "--remove",
    cls=Option,
    is_flag=True,
    section="The threshold",
    help="Remove threshold and temperature: every image is answered again.",
)
@click.option(
    "--group-by",
    cls=Option,
    metavar="REGEX",
    help="Images with the same match in their path belong together, for the interval; by default as in the training.",
)
@dataset_option
@json_option
@state_option
def threshold_command(
    run: str,
    accuracy: float | None,
    coverage: float | None,
    threshold: float | None,
    by_class: bool,
    temperature: float | None,
    remove: bool,
    group_by: str | None,
    dataset: Path | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Choose the probability below which the network of a training is unsure, from its validation part.

    Without a choice, the share of answers and how many of them are right are printed for some thresholds. What is
    chosen is kept beside the weights (best.decision.json) and used by predict and the app. RUN may be an evaluation,
    too: the choice is then made on its images, for the network that it evaluated.
    """
    from mia_tui.runs.list.find import find_run

    report = Report(as_json=as_json)
    given = [
        flag
        for flag, value in zip(_WAYS, (accuracy, coverage, threshold, remove or None), strict=True)
        if value is not None
    ]
    _check(given, by_class=by_class, temperature=temperature, group_by=group_by)
    # The last run is a training here, also where something was evaluated or predicted since.
    found = find_run(run, dataset=dataset, state=state, kind="train" if run in ("last", "best") else None)
    if remove:
        _remove(report, found)
        return
    from mia_tui.runs.evaluation.threshold import read_choice

    choice = read_choice(found, dataset=dataset, group_by=group_by, temperature=temperature)
    _say_temperature(report, choice)
    for sentence in choice.doubts:
        report.warn(sentence)
    if not given:
        _show_rows(report, choice)
        return
    decision = choice.choose(accuracy=accuracy, coverage=coverage, threshold=threshold, by_class=by_class)
    _keep(report, found, choice, decision)


def _check(given: list[str], *, by_class: bool, temperature: float | None, group_by: str | None) -> None:
    """Refuse options that contradict each other."""
    if len(given) > 1:
        raise ConfigError(f"{given[0]} and {given[1]} contradict each other.", "Leave one of them out.")
    if by_class and given not in (["--accuracy"], ["--coverage"]):
        raise ConfigError(
            "--by-class goes with --accuracy or --coverage.", "Say how good the answers must be."
        )
    if given == ["--remove"]:
        for flag, value in (("--temperature", temperature), ("--group-by", group_by)):
            if value is not None:
                raise ConfigError(f"--remove chooses nothing, so {flag} has no effect.", "Leave it out.")


def _remove(report: Report, run: "RunDir") -> None:
    from mia_tui.runs.evaluation.threshold import evaluated_weights
    from mia_tui.runs.record.decision import remove_decision

    weights = evaluated_weights(run)
    there = remove_decision(weights)
    what = "Threshold and temperature are removed" if there else "There is no threshold"
    report.say(f"{what}: every image is answered.")
    report.record({"weights": str(weights), "decision": None})


def _say_temperature(report: Report, choice: "ThresholdChoice") -> None:
    results = choice.results
    before, after = choice.calibration_errors()
    report.say(
        f"{counted(len(results.truth), 'image')} of {printable(results.split)}, epoch {results.epoch}."
    )
    if choice.remark:
        report.say(choice.remark)
    else:
        report.say(
            f"Temperature {choice.temperature:.3g}: the expected calibration error is {after:.4f}, without it "
            f"{before:.4f}."
        )


def _show_rows(report: Report, choice: "ThresholdChoice") -> None:
    from mia_tui.runs.record.decision import decision_words, read_decision

    rows, decision = choice.rows(), read_decision(choice.weights, digest=choice.digest)
    report.say()
    report.table(
        ("threshold", "answered", "right", "95 % interval"),
        [
            (
                f"{row.threshold:.6g}",
                f"{row.coverage:.1%}",
                f"{row.accuracy.value:.1%}",
                _interval(row.accuracy),
            )
            for row in rows
        ],
    )
    report.say()
    if decision is None:
        report.say(
            "None is chosen, so every image is answered; --accuracy, --coverage or --threshold chooses one."
        )
    else:
        report.say(f"Chosen: {decision_words(decision)}.")
    if report.as_json:
        report.record({**_choice_record(choice, rows), "decision": decision})


def _choice_record(choice: "ThresholdChoice", rows: "list[ThresholdRow]") -> dict[str, Any]:
    curve, (before, after) = choice.curve(), choice.calibration_errors()
    step = -(-len(curve.thresholds) // _MOST_POINTS)
    return {
        "weights": str(choice.weights),
        "part": choice.results.split,
        "epoch": choice.results.epoch,
        "images": len(choice.results.truth),
        "temperature": choice.temperature,
        "calibration_error": before,
        "calibrated_error": after,
        "rows": [
            {
                "threshold": row.threshold,
                "coverage": row.coverage,
                "accuracy": row.accuracy.value,
                "interval": None
                if row.accuracy.interval is None
                else [row.accuracy.interval.low, row.accuracy.interval.high],
            }
            for row in rows
        ],
        "curve": {
            "thresholds": curve.thresholds[::step].tolist(),
            "coverage": curve.coverage[::step].tolist(),
            "accuracy": curve.accuracy[::step].tolist(),
        },
    }


def _interval(known: "Estimate") -> str:
    if known.interval is None:
        return known.why_none
    return f"{known.interval.low:.1%} to {known.interval.high:.1%}"


def _keep(report: Report, run: "RunDir", choice: "ThresholdChoice", decision: "Decision") -> None:
    """Keep what was chosen, and say what it does."""
    from mia_tui.runs.record.decision import decision_file, decision_words, write_decision
    from mia_tui.runs.worker.liveness import lives

    write_decision(choice.weights, decision, digest=choice.digest)
    if decision.by_class:
        report.say()
        report.table(
            ("class", "threshold", "images", "answered", "right"),
            [
                (printable(row.name), f"{row.threshold:.6g}", row.images, row.answered, row.right)
                for row in choice.rows_by_class(decision)
            ],
        )
        report.say()
    report.say(f"Chosen: {decision_words(decision)}.")
    report.say(
        f"It is kept in {printable(decision_file(choice.weights))}, and goes with copies of both files."
    )
    if lives(run):
        report.warn(
            "The training is in progress: with its next best epoch the threshold has no effect any more."
        )
    file = str(decision_file(choice.weights))
    report.record({"weights": str(choice.weights), "file": file, "decision": decision})
