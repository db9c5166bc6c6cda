"""`mia-tui doctor`: what this machine has, and what prevents training on it."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import click
import msgspec

from mia_tui import __version__
from mia_tui.catalog.backbones import BACKBONES
from mia_tui.cli.open import user_settings
from mia_tui.cli.output.report import Report
from mia_tui.cli.output.safe_stream import STDOUT
from mia_tui.cli.shared.options import (
    Command,
    Option,
    checked_dataset_option,
    graphics_option,
    json_option,
    state_option,
)
from mia_tui.config.user.settings import UserConfig
from mia_tui.config.weights_cache import hub_cache, torch_cache, weights_here
from mia_tui.dataset.images.formats import EXTRA, FORMATS
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import StateFolder, find_state, user_cache, user_config_file, user_state
from mia_tui.runs.machine.cores import Cores, CoreWatch
from mia_tui.runs.machine.gpus import list_gpus
from mia_tui.runs.machine.torch_probe import TorchFacts, probe_torch
from mia_tui.runs.worker.detach_risk import detach_risk
from mia_tui.text import counted, join_names, printable

CheckOutcome = Literal["ok", "note", "bad"]

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
class MachineCheck:
    """The result of one check; `hint` says what to do if it is not ok."""

    topic: str
    verdict: CheckOutcome
    text: str
    hint: str | None = None


@click.command("doctor", cls=Command)
@checked_dataset_option
@state_option
@click.option("--terminal", cls=Option, is_flag=True, help="Draw a test card and ask what you see.")
@graphics_option
@click.option("--answers", cls=Option, help="With --terminal: a digit for each question, so none is asked.")
@click.option("--write", cls=Option, is_flag=True, help="With --terminal: write what fits into config.toml.")
@json_option
def command(
    dataset: Path | None,
    state: Path | None,
    terminal: bool,
    graphics: str | None,
    answers: str | None,
    write: bool,
    as_json: bool,
) -> int:
    """Check this machine: Python, torch, GPU, disks, terminal.

    With --dataset or --state, also whether there are images, and whether labels and runs can be written. The
    exit code is 1 if something prevents training.

    With --terminal, only the terminal: a test card, four questions, and what to set.
    """
    report = Report(as_json=as_json)
    if terminal:
        if dataset is not None or state is not None:
            raise ConfigError(
                "--terminal checks nothing but the terminal.", "Leave --dataset and --state out."
            )
        from mia_tui.cli.terminal_check.check import TerminalCheck

        return TerminalCheck(report, graphics, answers, write=write).run()
    if graphics is not None or answers is not None or write:
        raise ConfigError("--graphics, --answers and --write belong to --terminal.", "Add --terminal.")
    bad = False
    for check in examine(dataset, state):
        bad = bad or check.verdict == "bad"
        _show(report, check)
    return 1 if bad else 0


def examine(dataset: Path | None, state: Path | None) -> Iterator[MachineCheck]:
    """All checks, in order; importing torch takes some seconds."""
    yield MachineCheck("mia-tui", "ok", f"{__version__} in {printable(Path(sys.prefix))}")
    yield MachineCheck(
        "Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    cores = CoreWatch().cores()
    yield _cores(cores)
    facts = probe_torch()
    yield _torch(facts)
    if facts.error is None:
        yield _device(facts, cores)
    yield from _gpus()
    yield from _folders(dataset, state)
    yield _weights()
    yield _readers()
    settings, user = _settings()
    yield settings
    yield _terminal()
    if STDOUT.isatty():
        yield _graphics(user)
    risk = detach_risk()
    if risk is not None:
        yield MachineCheck("Detached runs", "note", risk.message, risk.hint)


def _show(report: Report, check: MachineCheck) -> None:
    report.record(msgspec.to_builtins(check))
    mark = {"ok": "", "note": "note: ", "bad": "PROBLEM: "}[check.verdict]
    hint = f" {check.hint}" if check.hint else ""
    report.say(f"{check.topic:<15} {mark}{check.text}{hint}", hang=16)


def _cores(cores: Cores) -> MachineCheck:
    load = os.getloadavg()[0]
    threads = counted(cores.threads, "thread")
    text = (
        f"{cores.usable} usable, {cores.busy:.1f} kept busy by other programs (load {load:.1f}); a run would use "
        f"{threads}"
    )
    if not cores.is_busy:
        return MachineCheck("Cores", "ok", text)
    return MachineCheck(
        "Cores",
        "note",
        f"{text} instead of {cores.most}.",
        "It would keep that number: wait until other programs have ended, or set --threads.",
    )


def _torch(facts: TorchFacts) -> MachineCheck:
    if facts.error is not None:
        hint = "Reinstall it: https://pytorch.org/get-started/locally says which one fits."
        return MachineCheck("torch", "bad", f"cannot be used: {facts.error}", hint)
    build = f"CUDA {facts.cuda}" if facts.cuda else "no CUDA"
    versions = f"{facts.torch} ({build}), timm {facts.timm}"
    return MachineCheck("torch", "ok", f"{versions}, imported in {facts.seconds:.1f} s")


def _device(facts: TorchFacts, cores: Cores) -> MachineCheck:
    on_cpu = facts.device.startswith("CPU")
    device = f"CPU, {counted(cores.threads, 'thread')}" if on_cpu else facts.device
    text = f"{device}, arithmetic {facts.precision}"
    if facts.warning is None:
        return MachineCheck("Training on", "ok", text)
    return MachineCheck("Training on", "bad", f"{text}: {facts.warning}")


def _gpus() -> Iterator[MachineCheck]:
    from mia_tui.runs.preflight.machine import is_busy

    gpus = list_gpus()
    for gpu in gpus:
        free = f"{gpu.free_bytes / _GIB:.1f} of {gpu.total_bytes / _GIB:.1f} GiB free"
        yield MachineCheck("GPU", "ok", f"{gpu.name}, {free}, driver {gpu.driver}")
    idle = sum(not is_busy(gpu) for gpu in gpus)
    if len(gpus) > 1:
        yield MachineCheck("GPUs", "ok", f"{idle} of {len(gpus)} idle{_together(idle)}")
    if not gpus:
        hint = "On a cluster the login node often has none; ask for one in a job."
        yield MachineCheck("GPU", "note", "this machine shows no NVIDIA GPU.", hint)


def _together(idle: int) -> str:
    """How to train on several GPUs."""
    return f"; `mia-tui train DATASET --devices {idle}` trains on these together" if idle > 1 else ""


def _folders(dataset: Path | None, state: Path | None) -> Iterator[MachineCheck]:
    for topic, place in (("Cache", user_cache), ("User state", user_state)):
        try:
            yield _folder(topic, place())
        except OSError as error:
            # Neither is required: the scan index is built again, and `last` finds no run.
            yield MachineCheck(topic, "note", f"cannot be created: {error.strerror}.")
    yield from _decoded_images()
    if dataset is not None:
        yield from _dataset(dataset, state)
    elif state is not None:
        yield _labels_and_runs(find_state(Path(), state))


def _decoded_images() -> Iterator[MachineCheck]:
    """What images take that trainings keep decoded."""
    from mia_tui.dataset.decoded.room import BYTES_PER_GB, decoded_use

    try:
        use = decoded_use()
    except OSError:  # the cache folder, of which is said that it cannot be used
        return
    used, most = use.used / BYTES_PER_GB, use.most / BYTES_PER_GB
    text = f"{used:.1f} GB of {counted(use.datasets, 'dataset')} in {printable(use.place)}, at most {most:.1f} GB"
    yield MachineCheck(
        "Decoded images", "ok", f"{text} (decoded_gb in config.toml); to free it, delete that folder"
    )


def _dataset(dataset: Path, state: Path | None) -> Iterator[MachineCheck]:
    """The images of the dataset, and where its labels and runs are."""
    from mia_tui.dataset.interchange.folders import read_class_folders
    from mia_tui.dataset.scan.scan import scan

    try:
        found = scan(dataset)
    except DataError as error:
        yield MachineCheck("Dataset", "bad", error.message, error.hint)
        return
    yield MachineCheck("Dataset", "ok", f"{counted(len(found.keys), 'image')} in {printable(dataset)}")
    class_folders = read_class_folders(found.keys) is not None
    yield _labels_and_runs(find_state(dataset, state, class_folders=class_folders))


def _labels_and_runs(place: StateFolder) -> MachineCheck:
    return _folder("Labels, runs", place.root, "Name another folder with --state DIR.")


def _folder(topic: str, folder: Path, hint: str | None = None) -> MachineCheck:
    """Whether a folder can be written, and how much space is free. Nothing is written to find out."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    name = printable(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        return MachineCheck(topic, "bad" if hint else "note", f"{name} cannot be written.", hint)
    free = shutil.disk_usage(place).free
    text = f"{name}, {free / _GIB:.1f} GiB free"
    if free < _LITTLE_SPACE:
        return MachineCheck(topic, "note", f"{text}; a run of a large network needs more.", hint)
    return MachineCheck(topic, "ok", text)


def _weights() -> MachineCheck:
    count = sum(weights_here(name) for name in BACKBONES)
    places = f"in {printable(hub_cache())} or {printable(torch_cache())}"
    text = f"ImageNet weights of {count} of {len(BACKBONES)} backbones are on this disk, in their package, {places}"
    return MachineCheck("Weights", "ok", text)


def _readers() -> MachineCheck:
    """Whether the packages are there that read microscopes' own formats."""
    wanted = [one for one in FORMATS if one.package]
    missing = [one.name for one in wanted if find_spec(one.package) is None]
    if not missing:
        return MachineCheck("Readers", "ok", "all formats of microscopes can be read")
    text = f"nothing here reads {join_names(missing, 'and')}."
    return MachineCheck("Readers", "note", text, f"If you have such files: pip install 'mia-tui[{EXTRA}]'")


def _terminal() -> MachineCheck:
    if not STDOUT.isatty():
        return MachineCheck("Terminal", "ok", "none, so no moving progress bars")
    size = shutil.get_terminal_size()
    encoding = str(sys.stdout.encoding)
    text = f"{os.environ.get('TERM', 'TERM not set')}, {size.columns}x{size.lines}, {encoding}"
    if "utf" not in encoding.lower():
        return MachineCheck("Terminal", "note", text, "Names may look odd; set LANG=C.UTF-8.")
    return MachineCheck("Terminal", "ok", text)


def _settings() -> tuple[MachineCheck, UserConfig]:
    """The user's settings of the app; the defaults if they are wrong."""
    path = user_config_file()
    try:
        user = user_settings()
    except ConfigError as error:
        return MachineCheck(
            "Settings", "note", f"the app does not open: {error.message}", error.hint
        ), UserConfig()
    where = printable(path)
    return MachineCheck("Settings", "ok", where if path.exists() else f"none; they would be in {where}"), user


def _graphics(user: UserConfig) -> MachineCheck:
    """How the app shows images on this terminal."""
    from mia_tui.terminal.ask import ask_terminal
    from mia_tui.terminal.choose import with_colours

    terminal = ask_terminal(user.graphics, environment=with_colours(os.environ, user.colours))
    cells = f"{terminal.cell_width_px}x{terminal.cell_height_px} pixels a cell"
    words = [
        _GRAPHICS[terminal.graphics],
        terminal.colours_in_words,
        cells if terminal.cell_known else f"{cells} guessed",
        *([terminal.around or terminal.brand] if terminal.brand else []),
        *([f"inside {terminal.multiplexer}"] if terminal.multiplexer else []),
    ]
    text = printable(", ".join(words))
    if terminal.graphics not in ("half", "none"):
        return MachineCheck("Images", "ok", text)
    return MachineCheck("Images", "note", f"{text}. {terminal.note or ''}".rstrip(), terminal.hint)
