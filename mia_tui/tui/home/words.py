"""The text on the first screen about folders, datasets and runs: plain functions, no widgets."""

import time
from dataclasses import dataclass
from pathlib import Path

from mia_tui.catalog.metrics import metric_words
from mia_tui.dataset.recent import Recent
from mia_tui.text import counted, duration, printable
from mia_tui.tui.home.folders import FolderContent, matching
from mia_tui.tui.runs.watch import LiveRun
from mia_tui.tui.widgets.ink import Ink

_COUNT_COLUMNS, _DATE_COLUMNS = 16, 16
_MARGINS = 6  # beside a title in the line of a panel


@dataclass(frozen=True)
class HomeLine:
    """A folder that is listed; `recent` if it is a dataset that was opened before."""

    folder: Path
    text: str
    recent: Recent | None = None


def folder_lines(base: Path, beginning: str, content: FolderContent | None) -> list[HomeLine]:
    """The folders to list.

    Args:
        base: The folder typed so far.
        beginning: The beginning of the name of a folder in it.
        content: What is in `base`; None if it has not been read yet.
    """
    names = matching(content.folders, beginning) if content is not None else []
    return [HomeLine(base / name, f"{name}/") for name in names]


def folders_title(
    base: Path, beginning: str, content: FolderContent | None, *, found: int, columns: int, ink: Ink
) -> str:
    """What is said above the folders: where they are, or why there are none; long paths keep their end."""
    if content is not None and content.problem is not None:
        return ink.fit(content.problem, columns)
    words = (
        f"No folder begins with {printable(beginning)} in "
        if content is not None and not found
        else "Folders in "
    )
    if content is not None and not found and not beginning:
        words = "No folder in "
    room = columns - _MARGINS - ink.width(ink.shown(words))
    return ink.shown(words) + ink.fit_left(str(base), max(8, room))


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


def recent_words(recent: Recent, now: float, *, in_columns: bool) -> str:
    """Images and labels of a dataset when it was last open, and when that was.

    Args:
        recent: The dataset.
        now: Unix seconds.
        in_columns: Whether numbers and dates stand below each other; else only what is known is said.
    """
    images = "" if recent.images is None else counted(recent.images, "image")
    labels = "" if recent.labels is None else counted(recent.labels, "label")
    then, today = time.localtime(recent.at), time.localtime(now)
    is_today = then[:3] == today[:3]
    date = time.strftime("today %H:%M" if is_today else "%Y-%m-%d %H:%M", then)
    if in_columns:
        return f"{images:>{_COUNT_COLUMNS}} {labels:>{_COUNT_COLUMNS}}  {date:>{_DATE_COLUMNS}}"
    return ", ".join(filter(None, (images, labels, date)))


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
