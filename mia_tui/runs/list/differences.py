"""What tells runs of one network apart, in a few words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.fields import fields, show_value
from mia_tui.config.predict import PredictConfig
from mia_tui.config.train import TrainConfig
from mia_tui.runs.list.summaries import RunSummary
from mia_tui.text import printable

SAME, USUAL = "the same settings", "like most"

_FIRST = ("lr", "batch_size", "loss", "metric")
_ELSEWHERE = {"backbone", "epochs", "size"}  # in other columns, or as one word


def differing_settings(configs: Sequence[TrainConfig]) -> list[str]:
    """The settings that are not the same in all of them, in the order of the form."""
    return [
        field.name
        for field in fields()
        if any(getattr(config, field.name) != getattr(configs[0], field.name) for config in configs[1:])
    ]


def setting_words(config: TrainConfig, name: str) -> str:
    """The value of a setting."""
    value = getattr(config, name)
    return "none" if value is None else printable(show_value(value))


def twins_apart(rows: Iterable[RunSummary]) -> dict[Path, str]:
    """By folder, what tells a run from others with the same network: `lr 0.001 · size 96`.

    Of a prediction or an evaluation: which images it is about. Trainings that are alone with their network are left
    out.
    """
    apart: dict[Path, str] = {}
    groups: dict[str, list[tuple[RunSummary, TrainConfig]]] = defaultdict(list)
    for row in rows:
        config = None if row.job is None else row.job.config
        if isinstance(config, TrainConfig):
            groups[config.network].append((row, config))
        elif isinstance(config, EvaluateConfig):
            apart[row.run.path] = printable(config.split)
        elif isinstance(config, PredictConfig):
            apart[row.run.path] = printable(config.scope)
    for group in groups.values():
        if len(group) > 1:
            apart.update(_of_group(group))
    return apart


def _of_group(group: Sequence[tuple[RunSummary, TrainConfig]]) -> dict[Path, str]:
    """What each of some trainings has that not most of them have."""
    settings = differing_settings([config for _, config in group])
    has = [_differing(row, config, settings) for row, config in group]
    names = [name for name in has[0] if any(words[name] != has[0][name] for words in has[1:])]
    usual: dict[str, str | None] = {}
    for name in names:
        [(words, count)] = Counter(words[name] for words in has).most_common(1)
        usual[name] = words if count > len(group) / 2 else None
    if not names:
        return {row.run.path: SAME for row, _ in group}
    return {
        row.run.path: " · ".join(words[name] for name in names if words[name] != usual[name]) or USUAL
        for (row, _), words in zip(group, has, strict=True)
    }


def _differing(row: RunSummary, config: TrainConfig, settings: Sequence[str]) -> dict[str, str]:
    """What may tell a training from others with its network, in words, by name; what says most comes first."""
    names = sorted(set(settings) - _ELSEWHERE, key=lambda name: (name not in _FIRST, settings.index(name)))
    return {
        "images": f"{row.images or 0:,} images",
        "classes": f"{0 if row.job is None else len(row.job.classes):,} classes",
        "size": f"size {config.size}",
        **{name: f"{name.replace('_', ' ')} {setting_words(config, name)}" for name in names},
    }
