"""`mia-tui features`: what a network sees in each image, as numbers in the user's cache folder."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.jobs import after_option, exit_code, run_to_wait_for, start_detached, work_in_front
from mia_tui.cli.shared.network import find_network, warn_of_unreadable
from mia_tui.cli.shared.options import (
    Command,
    Option,
    dataset_argument,
    device_option,
    json_option,
    path_option,
    state_option,
)
from mia_tui.errors import ConfigError
from mia_tui.text import counted, encode_name, printable

if TYPE_CHECKING:
    from mia_tui.dataset.listing.listing import Listing
    from mia_tui.features.table import FeatureTable
    from mia_tui.runs.record.layout import RunDir


@click.command("features", cls=Command)
@dataset_argument
@click.option(
    "--network",
    "network_text",
    cls=Option,
    metavar="RUN",
    help="A trained network: a run's folder or name, best, last, or a weights file (.safetensors). By default "
    "efficientnetlite0 with its ImageNet weights, which come with the program.",
)
@path_option(
    "--out", "File for the features, .npz: the arrays files, frames and features, which numpy.load reads."
)
@device_option("auto, cpu, cuda, cuda:N or mps.")
@click.option(
    "--batch-size",
    cls=Option,
    type=click.IntRange(min=1, max=1_000_000),
    default=32,
    show_default=True,
    help="Images per batch.",
)
@click.option(
    "--threads",
    cls=Option,
    type=click.IntRange(min=1, max=4096),
    help="CPU threads; by default the cores that are free.",
)
@click.option(
    "--detach", cls=Option, is_flag=True, help="Work in the background; the terminal may be closed."
)
@after_option
@json_option
@state_option
def command(
    dataset: Path,
    network_text: str | None,
    out: Path | None,
    device: str,
    batch_size: int,
    threads: int | None,
    detach: bool,
    after: str | None,
    as_json: bool,
    state: Path | None,
) -> int:
    """Make the features of the images of DATASET: numbers that tell which images look alike.

    The app needs them to suggest classes while you label; it makes them by itself. They are mean and deviation of
    every stage of a network, kept in your cache folder. New and changed images get features, all others have them
    already; renamed files and copies of a dataset find theirs by content. If it is interrupted, the same command
    continues where it stopped.
    """
    from mia_tui.cli.open import user_settings
    from mia_tui.config.features import BYTES_PER_GB
    from mia_tui.dataset.scan.scan import check_root
    from mia_tui.features.export import check_out
    from mia_tui.runs.features.create import create_features, network_id

    report = Report(as_json=as_json)
    check_root(dataset)
    if out is not None:
        check_out(out)
        if detach:
            raise ConfigError(
                "--out writes a file when the features are made, which --detach does not wait for.",
                "Leave one of them out.",
            )
    weights = None
    if network_text is not None:
        _, weights = find_network(network_text, dataset, state)
    if _has_all(report, dataset, network_id(weights), state, out):
        return 0
    run = create_features(
        dataset,
        weights,
        state=state,
        threads=threads,
        after=run_to_wait_for(report, after, dataset, state, anywhere=True),
        command=shlex.join(["mia-tui", *sys.argv[1:]]),
        device=device,
        batch_size=batch_size,
        most_bytes=int(user_settings().features_gb * BYTES_PER_GB),
    )
    return start_detached(report, run) if detach else _make(report, run, dataset, state, out)


def _make(report: Report, run: "RunDir", dataset: Path, state: Path | None, out: Path | None) -> int:
    """Make the features in this terminal and print a summary."""
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.record.state import read_state

    before = read_state(run)
    with EpochProgress(report, metric=before.metric, state=before) as progress:
        result = work_in_front(report, run, progress, record_events=False)
    code = exit_code(result)
    if result.outcome == "finished":
        assert progress.state.result is not None
        warn_of_unreadable(report, progress.state.result)
        found = _found(dataset, run.features_job().config.network_id, state)
        if found is not None:
            _summarise(report, *found, out, run)
    elif result.error is None:
        report.note("Stopped; the same command continues where it stopped.")
    return code


def _has_all(report: Report, dataset: Path, network: str, state: Path | None, out: Path | None) -> bool:
    """Whether a job would find nothing to do, which takes no torch to find out; says what there is then."""
    found = _found(dataset, network, state)
    if found is None or len(found[0].missing(found[1])):
        return False
    table, listing = found
    unread = int((table.places(listing) < 0).sum())
    if unread:
        report.warn(f"{counted(unread, 'image')} could not be read, and did not change since.")
    _summarise(report, table, listing, out)
    return True


def _found(dataset: Path, network: str, state: Path | None) -> "tuple[FeatureTable, Listing] | None":
    """The features that there are, and the images; None if there are none."""
    from mia_tui.dataset.scan.incremental import list_images
    from mia_tui.features.table import FeatureTable
    from mia_tui.runs.features.create import stacks_of

    table = FeatureTable.open(dataset, network)
    if table is None:
        return None
    found = list_images(dataset, stacks=stacks_of(dataset, state))
    return None if found is None else (table, found.listing)


def _summarise(
    report: Report, table: "FeatureTable", listing: "Listing", out: Path | None, run: "RunDir | None" = None
) -> None:
    """Say what there is, and write it into the file that was named."""
    from mia_tui.dataset.cache_room import bytes_of
    from mia_tui.features.export import export_features

    network, size = table.network, bytes_of(table.folder)
    images = int((table.places(listing) >= 0).sum())
    report.say(
        f"{counted(images, 'image has', 'images have')} {network.dims:,} features by {printable(network.name)}: "
        f"{size / 1e6:.1f} MB in {printable(table.folder.path)}."
    )
    if out is not None:
        export_features(table, listing, out)
        report.say(f"They are in {printable(out)}, too.")
    report.record(
        {
            "run": None if run is None else str(run.path),
            "network": network.name,
            "network_id": network.id,
            "dims": network.dims,
            "images": images,
            "skipped": len(listing) - images,
            "bytes": size,
            "folder": encode_name(str(table.folder.path)),
            "out": None if out is None else encode_name(str(out)),
        }
    )
