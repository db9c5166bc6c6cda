"""Evaluating a network anew from the screen of its results."""

from pathlib import Path

from mia_tui.errors import CheckpointError, MiaError
from mia_tui.paths import typed_dataset
from mia_tui.runs.evaluation.create import create_evaluation
from mia_tui.runs.evaluation.evaluation_set import EvaluatedPart, choose_evaluation_set
from mia_tui.runs.list.find import runs_of
from mia_tui.runs.list.lifecycle import drop_untrained_run
from mia_tui.runs.machine.gpus import computes_on_cpu
from mia_tui.runs.preflight.prepare import read_dataset
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card
from mia_tui.runs.worker.launch import spawn, wait_until_taken
from mia_tui.runs.worker.queue import last_in_line
from mia_tui.text import printable, typed
from mia_tui.tui.open_dataset import OpenDataset

EVALUATED: tuple[tuple[EvaluatedPart, str], ...] = (
    ("val", "val: the images that chose the best epoch"),
    ("test", "test: images that it has never seen"),
    ("all", "all labelled images, also those that it was trained on"),
)


def start_evaluation(opened: OpenDataset, weights: Path, split: EvaluatedPart | None) -> RunDir:
    """Evaluate a network on the labelled images of the dataset, behind the runs at work. Call it in a thread.

    Args:
        opened: The dataset.
        weights: The file of the network.
        split: Part of the images; None as for `choose_evaluation_set`.

    Raises:
        MiaError: If the weights are gone, there are no such images, or no worker comes up.
    """
    if not weights.is_file():
        raise CheckpointError(f"{printable(weights)} is gone.", "Without its weights a network says nothing.")
    card = read_card(weights)
    trained = RunDir(weights.parent.parent)
    found = read_dataset(opened.dataset, opened.state, frames=card.frames, annotator=opened.annotator)
    evaluated = choose_evaluation_set(found, card, trained if trained.exists() else None, split)
    command = ["mia-tui", "evaluate", "--run", typed(weights.resolve()), "--split", evaluated.split]
    run = create_evaluation(
        opened.dataset,
        weights,
        evaluated,
        state=opened.state,
        after=last_in_line(runs_of(opened.dataset, opened.state)),
        command=f"{' '.join(command)} {typed_dataset(opened.dataset.resolve(), opened.state)}",
    )
    try:
        wait_until_taken(run, spawn(run, gives_way=computes_on_cpu(run.job().config.device)))
    except MiaError as error:
        drop_untrained_run(run, error)
        raise
    return run


def part_to_repeat(split: str) -> EvaluatedPart | None:
    """The part of results that is evaluated anew; of others the usual one."""
    known: dict[str, EvaluatedPart] = {"val": "val", "test": "test", "all": "all", "train": "all"}
    return known.get(split)
