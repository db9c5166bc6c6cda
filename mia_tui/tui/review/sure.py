"""Taking the suggestions of images that were seen as tiles, above a confidence, in one step."""

from dataclasses import dataclass

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.text import counted
from mia_tui.tui.controller.seen import SeenImages
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.widgets.ink import Ink

_THRESHOLDS = (0.99, 0.95, 0.9, 0.8)


@dataclass(frozen=True)
class Suggested:
    """A suggestion that was seen; its confidence is 0 where that is not known."""

    key: ImageKey
    class_id: int
    confidence: float


def seen_suggestions(session: LabelSession, seen: SeenImages) -> tuple[list[Suggested], int]:
    """Suggestions that can be taken, and how many images shown have one that was not seen.

    Images that are marked, flagged or skipped are left out.
    """
    shown = np.zeros(len(session.listing), np.bool_)
    shown[session.rows_of(Filter("suggested"))] = True
    shown &= np.isin(np.arange(len(shown)), session.view)
    keys = seen.keys
    rows = session.listing.rows(keys)
    taken, known = [], 0
    for key, row in zip(keys, rows.tolist(), strict=True):
        if row < 0 or not shown[row]:
            continue
        state = session.state_of(row)
        if state.suggestion is None or not seen.was_seen(key, state.suggestion.id):
            continue
        known += 1
        if state.suggestion.id and not (state.flagged or state.skipped or session.is_selected(row)):
            taken.append(Suggested(key, state.suggestion.id, state.confidence or 0.0))
    return taken, int(shown.sum()) - known


def threshold_dialog(found: list[Suggested], unseen: int, ink: Ink) -> PickDialog[float]:
    """Asks how sure a suggestion has to be; only thresholds that differ in what they take are there."""
    choices: list[Choice[float]] = []
    counts = set()
    for least in (*_THRESHOLDS, 0.0):
        count = sum(each.confidence >= least for each in found)
        if count and count not in counts:
            counts.add(count)
            words = f"{least * 100:.0f} % and surer" if least else "all that you have seen"
            choices.append(Choice(f"{words}: {counted(count, 'image')}", least))
    rest = f" {unseen:,} more were not on the screen yet." if unseen else ""
    hint = f"{{ok}} labels them in one step for undo; marked images are left out.{rest}"
    return PickDialog("Take the suggestions you have seen?", choices, ink, hint=hint, searchable=False)
