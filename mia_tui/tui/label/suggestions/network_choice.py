"""The list to choose from whose features the live suggestions are learned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from mia_tui.features.layout import DEFAULT_NETWORK, tables_of
from mia_tui.runs.list.networks import trainings_with_weights
from mia_tui.runs.worker.liveness import lives
from mia_tui.text import printable
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.live.live_suggestions import LiveSuggestions
from mia_tui.tui.live.network_in_use import SHIPPED_WORDS
from mia_tui.tui.widgets.ink import Ink

_NAME_COLUMNS = 36


@dataclass(frozen=True)
class OfferedNetwork:
    """A network that can be learned with.

    Attributes:
        network_id: As `FeatureNetwork` has it; empty for the better one, or where features are still to be made.
        name: What people call it.
        words: The same, as a sentence ends.
        weights: Of a run; None for no run.
    """

    network_id: str
    name: str
    words: str
    weights: Path | None = None


class LiveNetworkDialog(PickDialog[OfferedNetwork]):
    """A wide list of networks."""

    IS_WIDE = True


def offered_networks(dataset: Path, state: Path | None) -> list[OfferedNetwork]:
    """The better one, the one that comes with the program, and those of trainings that have ended, newest first.

    Raises:
        MiaError: If the folder of runs cannot be read.
    """
    described = (folder.description() for folder in tables_of(dataset))
    made = {Path(one.run): one.id for one in described if one is not None and one.run}
    found = [
        OfferedNetwork("", "The better one", "the better network"),
        OfferedNetwork(DEFAULT_NETWORK, "The one that comes with the program", SHIPPED_WORDS),
    ]
    for run in trainings_with_weights(dataset, state):
        if not lives(run):  # its weights may be others in a minute
            name = run.notes().title or run.name
            known = made.get(run.path.resolve()) or made.get(run.path) or ""
            found.append(OfferedNetwork(known, name, f"run {printable(name)}", run.best_weights))
    return found


def network_dialog(offered: Sequence[OfferedNetwork], live: LiveSuggestions, ink: Ink) -> LiveNetworkDialog:
    """Asks which network; of those that were compared, how many suggestions are right stands behind it."""
    shown = live.chosen_network
    names = [
        ink.fit_left(each.name, _NAME_COLUMNS) if each.weights else ink.shown(each.name) for each in offered
    ]
    columns = max(map(ink.width, names), default=0)
    choices = [
        Choice(f"{ink.pad(name, columns)}  {_facts(each, live)}".rstrip(), each, Text(mark))
        for name, each in zip(names, offered, strict=True)
        for mark in [ink.pointer if each.network_id == shown and (shown or each.weights is None) else " "]
    ]
    hint = f"{ink.shown(live.network.sentence)} {{ok}} takes another, {{cancel}} changes nothing."
    return LiveNetworkDialog("Live suggestions from which network?", choices, ink, hint=hint)


def _facts(each: OfferedNetwork, live: LiveSuggestions) -> str:
    compared = live.network.comparison
    if each.weights is not None and not each.network_id:
        return "looks at the images first"
    if compared is None or compared.why_not:
        return ""
    if each.network_id == compared.network_id:
        return f"{compared.right:.2f} right"
    return f"{compared.shipped_right:.2f} right" if each.network_id == DEFAULT_NETWORK else ""
