"""`mia-tui doctor`: what this machine has, and what stands in the way."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import click
import msgspec

from mia_tui import __version__
from mia_tui.catalog.backbones import BACKBONES
from mia_tui.cli.open import user_settings
from mia_tui.cli.options import Command, dataset_option, json_option, state_option
from mia_tui.cli.output.safe_stream import STDOUT
from mia_tui.cli.report import Report
from mia_tui.config.user import UserConfig
from mia_tui.config.weights_cache import hub_cache, torch_cache, weights_here
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import StateFolder, find_state, user_cache, user_config_file, user_state
from mia_tui.runs.machine.cores import Cores, CoreWatch
from mia_tui.runs.machine.gpus import list_gpus
from mia_tui.runs.machine.torch_probe import TorchFacts, probe_torch
from mia_tui.runs.worker.detach_risk import detach_risk
from mia_tui.text import counted, printable

Verdict = Literal["ok", "note", "bad"]

_GRAPHICS: dict[str, str] = {
    "kitty": "in full by the kitty protocol",
    "iterm2": "in full by the iTerm2 protocol",
    "sixel": "in full by sixel",
    "half": "coarse, of half blocks",
    "none": "not shown",
}

_GIB = 1 << 30
_LITTLE_SPACE = 2 * _GIB  # a run of a large network keeps about this: weights, optimizer, best weights


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `hint` says what to do where it is not ok."""

    topic: str
    verdict: Verdict
    text: str
    hint: str | None = None


@click.command("doctor", cls=Command)
@dataset_option
@state_option
@json_option
def command(dataset: Path | None, state: Path | None, as_json: bool) -> int:
    """Check this machine: Python, torch, GPU, disks, terminal.

    With --dataset or --state, also whether there are images, and whether labels and runs can be written. The
    exit code is 1 if something stands in the way of training.
    """
    report = Report(as_json=as_json)
    bad = False
    for finding in examine(dataset, state):
        bad = bad or finding.verdict == "bad"
        _tell(report, finding)
    return 1 if bad else 0


def examine(dataset: Path | None, state: Path | None) -> Iterator[Finding]:
    """Everything doctor looks at, in order; importing torch takes some seconds."""
    yield Finding("mia-tui", "ok", f"{__version__} in {printable(Path(sys.prefix))}")
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    cores = CoreWatch().cores()
    yield _cores(cores)
    facts = probe_torch()
    yield _torch(facts)
    if facts.error is None:
        yield _device(facts, cores)
    yield from _gpus()
    yield from _folders(dataset, state)
    yield _weights()
    settings, user = _settings()
    yield settings
    yield _terminal()
    if STDOUT.isatty():
        yield _graphics(user)
    risk = detach_risk()
    if risk is not None:
        yield Finding("Detached runs", "note", risk.message, risk.hint)


def _tell(report: Report, finding: Finding) -> None:
    report.record(msgspec.to_builtins(finding))
    mark = {"ok": "", "note": "note: ", "bad": "PROBLEM: "}[finding.verdict]
    hint = f" {finding.hint}" if finding.hint else ""
    report.say(f"{finding.topic:<15} {mark}{finding.text}{hint}", hang=16)


def _cores(cores: Cores) -> Finding:
    load = os.getloadavg()[0]
    threads = counted(cores.threads, "thread")
    text = (
        f"{cores.usable} usable, {cores.busy:.1f} kept busy by other programs (load {load:.1f}); a run would take "
        f"{threads}"
    )
    if not cores.is_busy:
        return Finding("Cores", "ok", text)
    return Finding(
        "Cores",
        "note",
        f"{text} instead of {cores.most}.",
        "It would keep that number; wait until they have ended, or set --threads.",
    )


def _torch(facts: TorchFacts) -> Finding:
    if facts.error is not None:
        hint = "Install it anew: https://pytorch.org/get-started/locally says which one fits."
        return Finding("torch", "bad", f"cannot be used: {facts.error}", hint)
    build = f"CUDA {facts.cuda}" if facts.cuda else "no CUDA"
    versions = f"{facts.torch} ({build}), timm {facts.timm}"
    return Finding("torch", "ok", f"{versions}, imported in {facts.seconds:.1f} s")


def _device(facts: TorchFacts, cores: Cores) -> Finding:
    on_cpu = facts.device.startswith("CPU")
    device = f"CPU, {counted(cores.threads, 'thread')}" if on_cpu else facts.device
    text = f"{device}, arithmetic {facts.precision}"
    if facts.warning is None:
        return Finding("Training on", "ok", text)
    return Finding("Training on", "bad", f"{text}: {facts.warning}")


def _gpus() -> Iterator[Finding]:
    gpus = list_gpus()
    for gpu in gpus:
        free = f"{gpu.free_bytes / _GIB:.1f} of {gpu.total_bytes / _GIB:.1f} GiB free"
        yield Finding("GPU", "ok", f"{gpu.name}, {free}, driver {gpu.driver}")
    if not gpus:
        hint = "On a cluster the login node often has none; ask for one in a job."
        yield Finding("GPU", "note", "this machine shows no NVIDIA GPU.", hint)


def _folders(dataset: Path | None, state: Path | None) -> Iterator[Finding]:
    for topic, place in (("Cache", user_cache), ("User state", user_state)):
        try:
            yield _folder(topic, place())
        except OSError as error:
            # Both only spare time: the scan index is made anew, `last` knows no run.
            yield Finding(topic, "note", f"cannot be made: {error.strerror}.")
    if dataset is not None:
        yield from _dataset(dataset, state)
    elif state is not None:
        yield _labels_and_runs(find_state(Path(), state))


def _dataset(dataset: Path, state: Path | None) -> Iterator[Finding]:
    """Its images; they decide where labels and runs go."""
    from mia_tui.dataset.interchange.folders import read_class_folders
    from mia_tui.dataset.scan.scan import scan

    try:
        found = scan(dataset)
    except DataError as error:
        yield Finding("Dataset", "bad", error.message, error.hint)
        return
    yield Finding("Dataset", "ok", f"{counted(len(found.keys), 'image')} in {printable(dataset)}")
    class_folders = read_class_folders(found.keys) is not None
    yield _labels_and_runs(find_state(dataset, state, class_folders=class_folders))


def _labels_and_runs(place: StateFolder) -> Finding:
    return _folder("Labels, runs", place.root, "Name another folder with --state DIR.")


def _folder(topic: str, folder: Path, hint: str | None = None) -> Finding:
    """Whether a folder can be written, and how much room there is. Nothing is written to find out."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    name = printable(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(topic, "bad" if hint else "note", f"{name} cannot be written.", hint)
    free = shutil.disk_usage(place).free
    text = f"{name}, {free / _GIB:.1f} GiB free"
    if free < _LITTLE_SPACE:
        return Finding(topic, "note", f"{text}; a run of a large network needs more.", hint)
    return Finding(topic, "ok", text)


def _weights() -> Finding:
    count = sum(weights_here(name) for name in BACKBONES)
    places = f"{printable(hub_cache())} and {printable(torch_cache())}"
    text = f"ImageNet weights of {count} of {len(BACKBONES)} backbones are on this disk, in {places}"
    return Finding("Weights", "ok", text)


def _terminal() -> Finding:
    if not STDOUT.isatty():
        return Finding("Terminal", "ok", "none: no moving bars")
    size = shutil.get_terminal_size()
    encoding = str(sys.stdout.encoding)
    text = f"{os.environ.get('TERM', 'TERM not set')}, {size.columns}x{size.lines}, {encoding}"
    if "utf" not in encoding.lower():
        return Finding("Terminal", "note", text, "Names may look odd; set LANG=C.UTF-8.")
    return Finding("Terminal", "ok", text)


def _settings() -> tuple[Finding, UserConfig]:
    """The user's settings, by which the app goes; where they are wrong, the defaults."""
    path = user_config_file()
    try:
        user = user_settings()
    except ConfigError as error:
        return Finding(
            "Settings", "note", f"the app does not open: {error.message}", error.hint
        ), UserConfig()
    where = printable(path)
    return Finding("Settings", "ok", where if path.exists() else f"none; they go into {where}"), user


def _graphics(user: UserConfig) -> Finding:
    """What the app shows of an image on this terminal."""
    from mia_tui.terminal.ask import ask_terminal
    from mia_tui.terminal.choose import with_colours

    terminal = ask_terminal(user.graphics, environment=with_colours(os.environ, user.colours))
    cells = f"{terminal.cell_width_px}x{terminal.cell_height_px} pixels a cell"
    words = [
        _GRAPHICS[terminal.graphics],
        terminal.colours_in_words,
        cells if terminal.cell_known else f"{cells} guessed",
        *([terminal.brand] if terminal.brand else []),
        *([f"inside {terminal.multiplexer}"] if terminal.multiplexer else []),
    ]
    text = printable(", ".join(words))
    if terminal.graphics not in ("half", "none"):
        return Finding("Images", "ok", text)
    hint = None
    if terminal.graphics == "half" and terminal.multiplexer:
        hint = f"Outside of {terminal.multiplexer} the same terminal may show them in full."
    return Finding("Images", "note", f"{text}. {terminal.note or ''}".rstrip(), hint)
