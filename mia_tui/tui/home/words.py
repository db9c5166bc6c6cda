"""The text on the first screen about folders, datasets and runs: plain functions, no widgets."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.catalog.metrics import metric_words
from mia_tui.dataset.recent import Recent
from mia_tui.text import counted, duration
from mia_tui.tui.home.folders import FolderContent, matching
from mia_tui.tui.runs.watch import LiveRun


@dataclass(frozen=True)
class HomeLine:
    """A line of the list; `folder` is None for a heading."""

    folder: Path | None
    text: str
    recent: Recent | None = None


def lines_for(
    base: Path,
    beginning: str,
    content: FolderContent | None,
    recent: Sequence[Recent],
    *,
    refused: bool = False,
) -> list[HomeLine]:
    """The lines of the list.

    Args:
        base: The folder typed so far.
        beginning: The beginning of the name of a folder in it.
        content: What is in `base`; None if it has not been read yet.
        recent: Datasets to list first.
        refused: Whether the screen already says why the typed folder cannot be opened.
    """
    lines = [HomeLine(None, "Recent datasets")] if recent else []
    lines += [HomeLine(dataset.path, str(dataset.path), dataset) for dataset in recent]
    names = matching(content.folders, beginning) if content is not None else []
    if names or not refused:
        lines.append(HomeLine(None, _heading(base, beginning, content, names)))
    return [*lines, *(HomeLine(base / name, f"{name}/") for name in names)]


def _heading(base: Path, beginning: str, content: FolderContent | None, names: Sequence[str]) -> str:
    if content is None or names:
        return f"Folders in {base}"
    if content.problem is not None:
        return content.problem
    return f"No folder in {base} begins with {beginning}" if beginning else f"No folder in {base}"


def content_words(content: FolderContent | None) -> str:
    """What is in a folder; empty if it has not been read yet."""
    if content is None:
        return ""
    if content.problem is not None:
        return "cannot be read"
    words = (
        [counted(content.images, "image") + (" and more" if content.more else "")] if content.images else []
    )
    if content.folders:
        words.append(counted(len(content.folders), "folder"))
    return ", ".join(words) or "empty"


def recent_words(recent: Recent, now: float) -> str:
    """Images and labels of a dataset when it was last open, and when that was."""
    words = [] if recent.images is None else [counted(recent.images, "image")]
    if recent.labels is not None:
        words.append(counted(recent.labels, "label"))
    then, today = time.localtime(recent.at), time.localtime(now)
    is_today = then[:3] == today[:3]
    words.append(time.strftime("today %H:%M" if is_today else "%Y-%m-%d %H:%M", then))
    return ", ".join(words)


def run_words(run: LiveRun) -> str:
    """How far a run is, or what it waits for."""
    if run.status == "waiting":  # its figures, if any, are from before it was queued
        return f"{run.name}, {run.phase or run.status}"
    words = [run.name]
    if run.status == "unknown":
        words.append("no news; its worker is on another host")
    elif run.total_epochs is None and run.images is None:
        words.append(run.phase or run.status)
    if run.total_epochs is not None:
        words.append(f"epoch {min(run.epoch + 1, run.total_epochs)} of {run.total_epochs}")
    if run.images is not None:
        done, total = run.images
        words.append(f"{done:,} of {counted(total, 'image')}")
    if run.left_s is not None:
        words.append(f"about {duration(run.left_s)} left")
    if run.best is not None:
        words.append(f"best {metric_words(run.metric)} {run.best:.3f}")
    return ", ".join(words)
