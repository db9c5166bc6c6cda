"""The trained networks that a person can choose from: of a dataset's trainings, of other datasets, of a file."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mia_tui.catalog.model_formats import ONNX_FILE, TIMM_FILE
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.recent import recent_datasets
from mia_tui.errors import ConfigError, MiaError
from mia_tui.paths import is_same_folder, real_path
from mia_tui.runs.actions.using import without_weights
from mia_tui.runs.list.find import find_run, kind_of, runs_of
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import ModelCard, network_name, read_card
from mia_tui.runs.worker.liveness import lives
from mia_tui.text import counted, name_some, printable

_MOST_OF_DATASET, _MOST = 30, 200  # the newest ones


@dataclass(frozen=True)
class KnownNetwork:
    """A trained network.

    Attributes:
        name: What people call it.
        weights: Its weights file.
        card: What the file says of it.
        dataset: The dataset of its training; None for a file by itself.
    """

    name: str
    weights: Path
    card: ModelCard
    dataset: Path | None = None


def network_of(run: RunDir, dataset: Path | None = None) -> KnownNetwork:
    """The network of a training, with its best weights so far.

    Raises:
        CheckpointError: If it has saved none yet, or they are damaged.
    """
    return _network(run.best_weights, dataset)


def network_in(path: Path) -> KnownNetwork:
    """The network in a file of weights, or in the folder of a training or of an export, that a user named.

    Raises:
        CheckpointError: If there is none.
    """
    run = RunDir(path)
    return network_of(run) if run.exists() else _network(exported_file(path) or path, None)


def find_network_file(text: str, dataset: Path | None = None) -> Path:
    """The file of a trained network that somebody named.

    Args:
        text: A file of weights or an ONNX file; the folder of a training or of an export; or as for `find_run`.
        dataset: The dataset whose runs are searched; None means this user's recent runs.

    Raises:
        ConfigError: If there is no such network.
    """
    path = Path(text).expanduser() if text else Path("/")
    if path.is_file():
        return path
    if path.suffix in (".safetensors", ".onnx") and not path.is_dir():
        raise ConfigError(f"There is no file {printable(path)}.", "Check how it is spelt.")
    exported = exported_file(path)
    if exported is not None:
        return exported
    run = find_run(text, dataset=dataset)
    if not run.best_weights.is_file():
        raise without_weights(run)
    return run.best_weights


def exported_file(folder: Path) -> Path | None:
    """The network in a folder that `mia-tui export` made: weights, or else an ONNX file; None in any other folder."""
    if not folder.is_dir() or RunDir(folder).exists():
        return None
    files = (folder / TIMM_FILE, folder / ONNX_FILE)
    return next((file for file in files if file.is_file()), None)


def trainings_with_weights(dataset: Path, state: Path | None) -> Iterator[RunDir]:
    """The trainings of a dataset that have saved weights, newest first, also those in progress.

    Args:
        dataset: Folder of images.
        state: The folder given with --state.

    Raises:
        MiaError: If the folder of runs cannot be read.
    """
    for run in reversed(runs_of(dataset, state)):
        if os.path.isfile(run.best_weights) and kind_of(run) == TrainConfig.kind:  # noqa: PTH113  # Path's raises
            yield run


def known_networks(dataset: Path, state: Path | None) -> list[KnownNetwork]:
    """The networks of a dataset, then those of the datasets that this user opened lately, each newest first.

    Trainings in progress are left out, since their weights may be others in a minute; so is what cannot be read.

    Args:
        dataset: The dataset that is open.
        state: The folder given with --state.
    """
    found: dict[Path, KnownNetwork] = {}
    for folder, where in _datasets(dataset, state):
        for network in _networks_of(folder, where):
            found.setdefault(real_path(network.weights), network)
        if len(found) >= _MOST:
            break
    return list(found.values())[:_MOST]


def class_sentence(network: Sequence[str], dataset: Iterable[str]) -> str:
    """Which classes of a network a dataset has, by name, and which would be new.

    Args:
        network: Names of the network's classes.
        dataset: Names of the dataset's classes.
    """
    here = set(map(class_name, dataset))
    known = [name for name in network if class_name(name) in here]
    new = [name for name in network if class_name(name) not in here]
    has = f"It has {counted(len(network), 'class', 'classes')}"
    if not new:
        return f"{has}, and this dataset has all of them: {name_some(known)}."
    if not known:
        return f"{has}, none of them in this dataset: {name_some(new)}."
    return f"{has}: {name_some(known)} {'are' if len(known) > 1 else 'is'} here, new: {name_some(new)}."


def _datasets(dataset: Path, state: Path | None) -> Iterator[tuple[Path, Path | None]]:
    yield dataset, state
    for known in recent_datasets():
        if not is_same_folder(known.path, dataset):
            yield known.path, known.state


def _networks_of(dataset: Path, state: Path | None) -> Iterator[KnownNetwork]:
    count = 0
    with suppress(MiaError, OSError):  # the dataset is gone, or its drive is away
        for run in trainings_with_weights(dataset, state):
            if count == _MOST_OF_DATASET:
                return
            if lives(run):
                continue
            with suppress(MiaError, OSError):
                yield network_of(run, dataset)
                count += 1


def _network(weights: Path, dataset: Path | None) -> KnownNetwork:
    return KnownNetwork(network_name(weights), weights, read_card(weights), dataset)
