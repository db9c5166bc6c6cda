"""`mia-tui evaluate`: metrics of a trained network on labelled images."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.results.options import ShownResults, group_by_option, result_options, shown_results
from mia_tui.cli.shared.images import read_labelled
from mia_tui.cli.shared.jobs import (
    after_option,
    exit_code,
    join_others,
    run_to_wait_for,
    start_detached,
    work_in_front,
)
from mia_tui.cli.shared.network import find_networks, network_options, warn_of_unreadable
from mia_tui.cli.shared.options import Command, Option, dataset_argument, json_option, state_options
from mia_tui.errors import ConfigError

if TYPE_CHECKING:
    from mia_tui.runs.evaluation.evaluation_set import EvaluatedPart, EvaluationSet
    from mia_tui.runs.record.layout import RunDir


@click.command("evaluate", cls=Command)
@dataset_argument
@network_options
@click.option(
    "--split",
    cls=Option,
    type=click.Choice(["val", "test", "all"], case_sensitive=False),
    help="Part of the images. By default test if there is one, otherwise val; for a dataset that the run was not "
    "trained on, all.",
)
@click.option(
    "--labels",
    cls=Option,
    type=click.Choice(["auto", "folders", "store"], case_sensitive=False),
    default="auto",
    show_default=True,
    help="Where labels come from.",
)
@click.option(
    "--dataset",
    "trained",
    cls=Option,
    type=click.Path(path_type=Path),
    help="Dataset in which RUN is looked up; by default DATASET, then your newest runs.",
)
@group_by_option
@click.option(
    "--against",
    "against_text",
    cls=Option,
    metavar="RUN2",
    help="Evaluate this network on the same images, too, and compare both: metrics, McNemar's test, and the images "
    "to which they give different classes.",
)
@result_options
@after_option
@json_option
@state_options
def command(
    dataset: Path,
    trained: Path | None,
    run_texts: tuple[str, ...],
    against_text: str | None,
    split: "EvaluatedPart | None",
    labels: str,
    detach: bool,
    after: str | None,
    as_json: bool,
    state: Path | None,
    annotator: str | None,
    shares: bool,
    by_similarity: bool,
    top: int,
    csv: Path | None,
    overwrite: bool,
    **settings: Any,
) -> int:
    """Evaluate a trained network on the labelled images of DATASET.

    Every metric has an interval of 95 %. Classes are matched by name. Images that the run was trained on are never
    counted as unseen. An evaluation is a run, listed with the trainings of DATASET, and shown in the app;
    `mia-tui runs results` prints it again, and also the results of a training on its validation part.
    """
    from mia_tui.config.devices import check_devices

    report = Report(as_json=as_json)
    shown = shown_results(shares, by_similarity, top, csv, overwrite)
    if detach and (csv is not None or against_text is not None or shares or by_similarity):
        raise ConfigError(
            "--csv, --against, --shares and --by-similarity need the results, which --detach does not wait for.",
            "Leave --detach out, or use `mia-tui runs results` when the evaluation has finished.",
        )
    check_devices(settings["devices"], settings["device"])
    code = _join_others(detach, against_text)
    if code is not None:
        return code
    place = trained or dataset
    where = place, None if trained else state
    networks = [find_networks(run_texts, *where)]
    networks += [find_networks([against_text], *where)] if against_text else []
    waits_for = run_to_wait_for(report, after, place, state, anywhere=True)
    wishes = {"state": state, "after": waits_for, **settings}
    plans = _plan(report, dataset, networks, split, labels, state, annotator)
    first, *second = [_create(dataset, plan, wishes) for plan in plans]
    if detach:
        return start_detached(report, first)
    code = _evaluate(report, first)
    if code or not second:
        return code or _show(report, [first], shown)
    return _evaluate(report, second[0]) or _show(report, [first, second[0]], shown)


def _join_others(detach: bool, against: str | None) -> int | None:
    """As `join_others`, which have but one job."""
    from mia_tui.runs.machine.given_rank import given_rank

    if against is not None and given_rank() is not None:
        raise ConfigError(
            "--against makes two evaluations, and the processes of torchrun or srun join in one.",
            "Evaluate both networks, then compare them: `mia-tui runs results RUN --against RUN2`.",
        )
    return join_others(detach=detach)


Networks = list[tuple["RunDir | None", Path]]
"""One network, or several that answer together: run and weights file of each."""


class _Plan(NamedTuple):
    """Networks, and the images that they are evaluated on."""

    networks: Networks
    evaluated: "EvaluationSet"


def _plan(
    report: Report,
    dataset: Path,
    networks: Sequence[Networks],
    split: "EvaluatedPart | None",
    labels: str,
    state: Path | None,
    annotator: str | None,
) -> list[_Plan]:
    """Choose the images of the first network, and the same ones for the second."""
    from mia_tui.runs.evaluation.evaluation_set import choose_common_set
    from mia_tui.runs.record.model_card import read_card

    first, *others = networks
    cards = [(read_card(weights), run) for run, weights in first]
    found = read_labelled(
        report, dataset, state, frames=cards[0][0].frames, source=labels, annotator=annotator
    )
    evaluated = choose_common_set(found, cards, split)
    plans = [_Plan(first, evaluated)]
    for note in (*found.notes, *evaluated.notes):
        report.warn(note)
    for other in others:
        cards = [(read_card(weights), run) for run, weights in other]
        second = choose_common_set(found, cards, "all", among=evaluated.truth)
        plans.append(_Plan(other, replace(second, split=evaluated.split)))
        for note in second.notes:
            if note not in evaluated.notes:
                report.warn(f"Of the second network: {note}")
    return plans


def _create(dataset: Path, plan: _Plan, wishes: dict[str, Any]) -> "RunDir":
    from mia_tui.runs.evaluation.create import create_evaluation

    line = shlex.join(["mia-tui", *sys.argv[1:]])
    weights, *others = [file for _, file in plan.networks]
    return create_evaluation(dataset, weights, plan.evaluated, others=others, command=line, **wishes)


def _evaluate(report: Report, run: "RunDir") -> int:
    """Do the evaluation in this terminal."""
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.record.state import read_state

    before = read_state(run)
    with EpochProgress(report, metric=before.metric, state=before) as progress:
        result = work_in_front(report, run, progress, record_events=False)
    code = exit_code(result)
    if result.outcome == "finished":
        assert progress.state.result is not None
        warn_of_unreadable(report, progress.state.result)
    elif result.error is None:
        report.note("Stopped; the same command evaluates again from the start.")
    return code


def _show(report: Report, runs: "list[RunDir]", shown: ShownResults) -> int:
    from mia_tui.cli.results.showing import show_both, show_results
    from mia_tui.runs.evaluation.results import load_results

    results = [load_results(run) for run in runs]
    if len(results) == 1:
        show_results(report, results[0], shown)
    else:
        show_both(report, results[0], results[1], shown)
    return 0
