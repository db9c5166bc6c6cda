"""The trained network that `predict` and `evaluate` use: finding it, and their options."""

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import Option, device_option
from mia_tui.errors import ConfigError
from mia_tui.text import NAMED, counted, decode_name, fault_of, name_faults, printable

if TYPE_CHECKING:
    from mia_tui.runs.record.events import ResultSaved
    from mia_tui.runs.record.layout import RunDir

Function = TypeVar("Function", bound=Callable[..., object])


def network_options(function: Function) -> Function:
    """Which networks are used and how; arrive under the names of `config.predict`, run_texts, threads and detach."""
    for option in reversed(
        (
            click.option(
                "--run",
                "run_texts",
                cls=Option,
                metavar="RUN",
                multiple=True,
                help="The network: a run's folder or name, best, last, a weights file (.safetensors), or the folder "
                "that `mia-tui export --format timm` made. Given several times, or as the name of runs that "
                "--repeats made: the mean of the probabilities of these networks.",
            ),
            device_option("auto, cpu, cuda, cuda:N or mps."),
            click.option(
                "--precision",
                cls=Option,
                type=click.Choice(["auto", "fp32", "bf16", "fp16"], case_sensitive=False),
                default="auto",
                show_default=True,
                help="Number format of the network; auto takes bf16 where the device is faster with it, whose "
                "probabilities differ by up to 0.01 from those of fp32.",
            ),
            click.option(
                "--devices",
                cls=Option,
                default="1",
                show_default=True,
                help="GPUs that share out the images: how many, all, or their numbers (0,2); on a CPU, how many "
                "processes.",
            ),
            click.option(
                "--batch-size",
                cls=Option,
                type=click.IntRange(min=1, max=1_000_000),
                default=64,
                show_default=True,
                help="Images per batch.",
            ),
            click.option(
                "--tta",
                cls=Option,
                is_flag=True,
                help="Average over flipped and rotated copies of each image: slower, more reliable.",
            ),
            click.option(
                "--max-megapixels",
                cls=Option,
                type=click.FloatRange(min=0.0, min_open=True),
                help="Skip larger images, with a warning; by default the limit used in training.",
            ),
            click.option(
                "--threads",
                cls=Option,
                type=click.IntRange(min=1, max=4096),
                help="CPU threads; by default the cores that are free.",
            ),
            click.option(
                "--detach",
                cls=Option,
                is_flag=True,
                help="Work in the background; the terminal may be closed.",
            ),
        )
    ):
        function = option(function)
    return function


def find_networks(
    texts: Sequence[str], dataset: Path | None, state: Path | None
) -> "list[tuple[RunDir | None, Path]]":
    """What each --run names, as for `find_network`; the name of a group of repetitions stands for all its networks.

    Raises:
        DataError: As `find_network`.
        ConfigError: As `find_network`, or if the networks cannot answer together.
    """
    from mia_tui.runs.ensemble import check_ensemble

    found: list[tuple[RunDir | None, Path]] = []
    for text in texts or (None,):
        found += _members(text, dataset, state) or [find_network(text, dataset, state)]
    if len(found) > 1:
        check_ensemble([weights for _, weights in found])
    return found


def _members(
    text: str | None, dataset: Path | None, state: Path | None
) -> "list[tuple[RunDir | None, Path]]":
    """The networks of a group of repetitions; none if the text names no group."""
    from mia_tui.runs.actions.using import without_weights
    from mia_tui.runs.list.repeats import group_members

    if text is None:
        return []
    here = dataset if dataset is not None and dataset.is_dir() else None
    members = group_members(text, here, state) or group_members(text)
    trained = [run for run in members if run.best_weights.exists()]
    if members and not trained:
        raise without_weights(members[0])
    return [(run, run.best_weights) for run in trained]


def find_network(text: str | None, dataset: Path | None, state: Path | None) -> "tuple[RunDir | None, Path]":
    """The run and the weights file that --run names; the run is None for a file outside of a run, and an export.

    Raises:
        DataError: If the dataset is no folder.
        ConfigError: If there is no such run or file.
    """
    if text is None:
        raise ConfigError("Which network?", "Name its run with --run.")
    from mia_tui.dataset.scan.scan import check_root
    from mia_tui.runs.actions.using import without_weights
    from mia_tui.runs.list.find import find_run
    from mia_tui.runs.list.networks import exported_file
    from mia_tui.runs.record.layout import RunDir

    if dataset is not None:
        check_root(dataset)  # first: a wrong folder must not lead to another dataset's run
    path = Path(text)
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise ConfigError(f"There is no weights file {path}.", "Check --run.")
        above = RunDir(path.resolve().parent.parent)
        return (above if above.exists() else None), path
    exported = exported_file(path)
    if exported is not None:
        if exported.suffix == ".onnx":
            raise ConfigError(
                f"{printable(exported)} is for other programs.",
                "Name the run itself, or what `mia-tui export --format timm` made of it.",
            )
        return None, exported
    try:
        run = find_run(text, dataset=dataset, state=state)
    except ConfigError:
        if text == "best" or dataset is None:
            raise
        run = find_run(text)  # evaluating on a dataset that has no runs of its own
    if not run.best_weights.exists():
        raise without_weights(run)
    return run, run.best_weights


def warn_of_unreadable(report: Report, result: "ResultSaved") -> None:
    """Warn of images that could not be read."""
    total = result.problem_count
    if total:
        are = "is" if total == 1 else "are"
        faults = (fault_of(decode_name(name), reason) for name, reason in result.problems.items())
        named = name_faults(islice(faults, NAMED), total)
        report.warn(f"{counted(total, 'image')} could not be read and {are} left out: {named}.")
