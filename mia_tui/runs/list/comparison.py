"""What differs between trainings: their images and labels, settings, versions and machines. Reads files."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import PARTS, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import MiaError, RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.list.differences import differing_settings, setting_words
from mia_tui.runs.list.summaries import RunSummary
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.text import name_some, printable

UNKNOWN = "unknown"


@dataclass(frozen=True)
class ComparedRun:
    """A training as it is compared with others.

    Attributes:
        row: Its summary.
        state: Its state by its events; that of a run before its start where it cannot be read.
        samples: Its images with their part and the name of their class; None where they cannot be read.
        labels: What of these labels is different now, in words; empty where that is not known.
    """

    row: RunSummary
    state: RunState
    samples: Mapping[tuple[str, int], tuple[str, str]] | None
    labels: str

    @property
    def config(self) -> TrainConfig | None:
        config = None if self.row.job is None else self.row.job.config
        return config if isinstance(config, TrainConfig) else None


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in all of the runs.

    Attributes:
        section: Data, settings or machine.
        name: What it is.
        values: In words, for each run.
    """

    section: str
    name: str
    values: tuple[str, ...]


def read_compared(rows: Sequence[RunSummary]) -> list[ComparedRun]:
    """Read what is compared of some trainings; what cannot be read is unknown."""
    stores: dict[str, Mapping[ImageKey, str] | None] = {}
    found = []
    for row in rows:
        place = "" if row.job is None else row.job.state
        if place not in stores:
            stores[place] = _labels_now(Path(place)) if place else None
        found.append(_read(row, stores[place]))
    return found


def differences(runs: Sequence[ComparedRun]) -> list[Difference]:
    """All that is not the same in all of the runs, the data first."""
    found = [
        Difference("data", name, tuple(words(run) for run in runs))
        for name, words in _data_words(runs).items()
    ]
    configs = [run.config for run in runs]
    known = [config for config in configs if config is not None]
    if len(known) == len(configs):
        found += [
            Difference("settings", name, tuple(setting_words(config, name) for config in known))
            for name in differing_settings(known)
        ]
    found += [
        Difference("machine", name, tuple(words(run) for run in runs))
        for name, words in _machine_words(runs).items()
    ]
    # Labels that changed since are worth a line even where they changed alike.
    return [item for item in found if len(set(item.values)) > 1 or (item.name == _SINCE and any(item.values))]


_SINCE = "labels changed since"


def _read(row: RunSummary, labels: Mapping[ImageKey, str] | None) -> ComparedRun:
    try:
        state = read_state(row.run)
    except RunError:  # deleted meanwhile
        state = RunState()
    try:
        listed = row.run.samples() if row.job is not None else None
    except (RunError, OSError):
        listed = None
    if listed is None or row.job is None:
        return ComparedRun(row, state, None, "")
    names = [item.name for item in row.job.classes]
    samples = {(sample.path, sample.frame): (sample.split, names[sample.class_index]) for sample in listed}
    return ComparedRun(row, state, samples, "" if labels is None else _changed(listed, names, labels))


def _labels_now(state: Path) -> Mapping[ImageKey, str] | None:
    """The present labels in a state folder, by image; None where there are none, or they cannot be read."""
    try:
        store = LabelStore.open_existing(StateFolder(state).labels_db)
        if store is None:
            return None
        with store:
            names = {item.id: item.name for item in store.classes(archived=True)}
            return {key: names.get(label.class_id, "") for key, label in store.labels().items()}
    except (MiaError, OSError):
        return None


def _changed(samples: Sequence[Sample], names: Sequence[str], labels: Mapping[ImageKey, str]) -> str:
    """What is different from the labels that a run was trained on."""
    now = [labels.get(ImageKey(sample.path, sample.frame)) for sample in samples]
    if not any(now):  # labelled by folders or by another dataset
        return ""
    other = sum(
        label is not None and label != names[sample.class_index]
        for label, sample in zip(now, samples, strict=True)
    )
    gone, new = sum(label is None for label in now), len(labels) - sum(label is not None for label in now)
    words = [
        f"{count:,} {what}" for count, what in ((other, "changed"), (gone, "removed"), (new, "new")) if count
    ]
    return ", ".join(words)


def _data_words(runs: Sequence[ComparedRun]) -> dict[str, Callable[[ComparedRun], str]]:
    first = runs[0]

    def count(part: str) -> Callable[[ComparedRun], str]:
        return lambda run: UNKNOWN if run.samples is None else f"{_parts(run)[part]:,}"

    return {
        "dataset": lambda run: UNKNOWN if run.row.job is None else printable(run.row.job.dataset),
        "images": lambda run: UNKNOWN if run.samples is None else f"{len(run.samples):,}",
        **{f"images to {_FOR[part]}": count(part) for part in PARTS},
        "classes": lambda run: UNKNOWN if run.row.job is None else f"{len(run.row.job.classes):,}",
        "only these classes": lambda run: _own_classes(run, runs),
        "images and labels": lambda run: _unlike(run, first),
        _SINCE: lambda run: run.labels,
    }


_FOR = {"train": "train on", "val": "validate", "test": "test"}


def _parts(run: ComparedRun) -> Counter[str]:
    return Counter(part for part, _ in (run.samples or {}).values())


def _class_names(run: ComparedRun) -> list[str]:
    return [] if run.row.job is None else [item.name for item in run.row.job.classes]


def _own_classes(run: ComparedRun, runs: Sequence[ComparedRun]) -> str:
    """The classes that not all of the runs have."""
    in_all = set.intersection(*(set(_class_names(other)) for other in runs))
    return name_some([name for name in _class_names(run) if name not in in_all]) if in_all else ""


def _unlike(run: ComparedRun, first: ComparedRun) -> str:
    """How the images of a run differ from those of the first one."""
    if run.samples is None or first.samples is None:
        return UNKNOWN
    if run is first:
        return ""
    both = run.samples.keys() & first.samples.keys()
    facts = (
        (len(run.samples) - len(both), "more"),
        (len(first.samples) - len(both), "fewer"),
        (sum(run.samples[key][1] != first.samples[key][1] for key in both), "labelled otherwise"),
        (sum(run.samples[key][0] != first.samples[key][0] for key in both), "in another part"),
    )
    return ", ".join(f"{count:,} {what}" for count, what in facts if count)


def _machine_words(runs: Sequence[ComparedRun]) -> dict[str, Callable[[ComparedRun], str]]:
    packages = dict.fromkeys(
        name for run in runs if run.state.started is not None for name in run.state.started.versions
    )

    def version(name: str) -> Callable[[ComparedRun], str]:
        return lambda run: (
            UNKNOWN if run.state.started is None else printable(run.state.started.versions.get(name, "none"))
        )

    return {
        "computer": lambda run: UNKNOWN if run.state.started is None else printable(run.state.started.host),
        "device": lambda run: UNKNOWN if run.state.started is None else printable(run.state.started.device),
        "attempts": lambda run: f"{run.state.attempt:,}",
        **{name: version(name) for name in packages},
    }
