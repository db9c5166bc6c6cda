"""`mia-tui train`: start or resume a run, in the foreground or detached."""

import shlex
from pathlib import Path
from typing import Any

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.jobs import after_option, join_others, start_detached
from mia_tui.cli.shared.options import (
    WATCH_HELP,
    Command,
    Option,
    check_watch,
    json_option,
    path_argument,
    read_settings,
    settings_options,
    state_options,
)
from mia_tui.cli.training.creating import create_by_options
from mia_tui.cli.training.resuming import create_rerun, runs_to_resume
from mia_tui.cli.training.running import detach_all, run_all, run_in_front
from mia_tui.errors import ConfigError


@click.command("train", cls=Command)
@path_argument("dataset", required=False)
@settings_options
@click.option("--resume", cls=Option, metavar="RUN", help="Resume a run: a folder, a name, best or last.")
@click.option(
    "--rerun",
    cls=Option,
    metavar="RUN",
    help="Repeat a run exactly: its settings, images, labels and parts; on DATASET, if the images are there now.",
)
@click.option(
    "--detach", cls=Option, is_flag=True, help="Train in the background; the terminal may be closed."
)
@click.option("--watch", cls=Option, is_flag=True, help=WATCH_HELP)
@after_option
@click.option(
    "--show-config",
    cls=Option,
    is_flag=True,
    help="Only print the settings that recipe, file and options result in, as a file for --config.",
)
@json_option
@state_options
def command(
    dataset: Path | None,
    resume: str | None,
    rerun: str | None,
    detach: bool,
    watch: bool,
    after: str | None,
    show_config: bool,
    as_json: bool,
    state: Path | None,
    annotator: str | None,
    **settings: Any,
) -> int:
    """Train a network on the labelled images of DATASET.

    Ctrl-C, `mia-tui runs stop` and `kill` stop a run after the current step, with a checkpoint; --resume continues
    from exactly there. --threads and --devices are the only settings that can be given with it.

    --rerun repeats a run, also one whose folder was copied from elsewhere. It says first which files differ from
    those of then, and at the end whether the weights are the same to the bit: they are where processor, torch and
    --threads are the same.
    """
    report = Report(as_json=as_json)
    check_watch(watch, as_json=as_json)
    if watch and detach:
        raise ConfigError(
            "--watch shows a training in this terminal, and --detach takes it out of it.",
            "Leave one of them out; `mia-tui runs follow last --watch` shows a detached one.",
        )
    if resume is not None and rerun is not None:
        raise ConfigError(
            "--resume continues a run, and --rerun repeats one from its beginning.", "Leave one of them out."
        )
    if show_config:
        return _show_config(report, resume or rerun, settings)
    code = join_others(detach=detach)
    if code is not None:
        return code
    if rerun is not None:
        run = create_rerun(report, rerun, dataset, state, settings, after=after)
        return start_detached(report, run) if detach else run_in_front(report, run, watch=watch)
    if resume is not None:
        runs = runs_to_resume(report, resume, dataset, state, settings, after=after, detach=detach)
    elif dataset is None:
        raise ConfigError("Train on which images?", "Name a folder: `mia-tui train DATASET`.")
    else:
        runs = create_by_options(report, dataset, state, annotator, settings, after=after)
    return detach_all(report, runs) if detach else run_all(report, runs, watch=watch)


def _show_config(report: Report, resume: str | None, settings: dict[str, Any]) -> int:
    from mia_tui.config.settings_file import save_config

    if resume is not None:
        raise ConfigError(
            "--show-config is for a new run, and one that is resumed or repeated keeps its settings.",
            f"They are in `mia-tui runs show {shlex.quote(resume)} --json`.",
        )
    config = read_settings(settings)
    report.record(config)
    if not report.as_json:
        report.data().write(save_config(config))
    return 0
