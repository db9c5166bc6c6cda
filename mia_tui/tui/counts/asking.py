"""What the screen of counts asks: how to group, whose predictions, which controls, where to write."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mia_tui.config.split import compile_pattern
from mia_tui.dataset.path_groups import BY
from mia_tui.errors import MiaError
from mia_tui.paths import exists, typed_path
from mia_tui.runs.counts.csv_file import write_csv
from mia_tui.runs.counts.table import CountTable
from mia_tui.runs.list.find import places_of_runs
from mia_tui.runs.prediction.suggestions import SuggestionSet, suggestion_sets
from mia_tui.text import counted, printable, when
from mia_tui.tui.dialogs import Choice, PickDialog, TextDialog
from mia_tui.tui.open_dataset import OpenDataset

if TYPE_CHECKING:
    from mia_tui.tui.screen import KeyedScreen


class WideTextDialog(TextDialog):
    """Asks for a pattern or a path, which may be long."""

    IS_WIDE = True


async def ask_groups(screen: "KeyedScreen[Any]", by: str, example: str) -> str | None:
    """The pattern that makes groups, empty for slides in names or folders; None if that was cancelled."""
    error = ""
    while True:
        text = await screen.ask(
            WideTextDialog(
                "What tells groups apart in paths? A regular expression; each of its (groups) is a column.",
                value=by,
                hint=f"A path: {screen.context.ink.shown(example)}   An example: (plate[0-9]+)/(well[A-H][0-9]+)\n"
                "{ok} counts, empty: slides that names tell, or folders; {cancel} changes nothing.",
                error=error,
            )
        )
        if text is None:
            return None
        try:
            if text.strip():
                compile_pattern(text.strip(), BY)
            return text.strip()
        except MiaError as refused:
            by, error = text, printable(refused.message)


async def ask_controls(screen: "KeyedScreen[Any]", against: str, example: str) -> str | None:
    """The name of a group or a regular expression on names, empty for all; None if that was cancelled."""
    text = await screen.ask(
        WideTextDialog(
            "Which groups are the controls? The name of one, or a regular expression.",
            value=against,
            hint=f"The name of a group: {screen.context.ink.shown(example)}\n"
            "{ok} compares with them, empty: with all groups; {cancel} changes nothing.",
        )
    )
    return None if text is None else text.strip()


async def ask_predictions(screen: "KeyedScreen[Any]", opened: OpenDataset) -> SuggestionSet | None:
    """Whose predictions to count; None if that was cancelled, or there is no choice, which is said."""
    known = await asyncio.to_thread(
        lambda: suggestion_sets(places_of_runs(opened.dataset, opened.state), opened.dataset)
    )
    if not known:
        screen.say("There are no predictions of these images yet.")
        return None
    choices = [
        Choice(f"{each.model}, {counted(each.images, 'image')}, {when(each.predicted_at)}", each)
        for each in known
    ]
    return await screen.ask(PickDialog("Count whose predictions?", choices, screen.context.ink))


async def ask_and_write(screen: "KeyedScreen[Any]", dataset: Path, table: CountTable) -> None:
    """Ask where to write the table as CSV, and write it."""
    value, error = str(dataset.absolute() / "counts.csv"), ""
    while True:
        text = await screen.ask(
            WideTextDialog(
                "Write the counts to which CSV file?",
                value=value,
                hint="{ok} writes it, a row for each group and class; {cancel} changes nothing.",
                error=error,
                replaced=True,
                needed="A file needs a name.",
            )
        )
        if text is None:
            return
        path = typed_path(text)
        path = path if path.is_absolute() else dataset.absolute() / path
        is_there = await asyncio.to_thread(exists, path)
        if is_there and not await screen.confirm(
            f"Replace {printable(path.name)}?", f"{printable(path)} exists already.", no="No", yes="Replace"
        ):
            return
        try:
            rows = await asyncio.to_thread(write_csv, table, path)
            screen.say(f"{counted(rows, 'row')} in {printable(path)}.")
            return
        except MiaError as refused:
            value, error = text, printable(str(refused))
