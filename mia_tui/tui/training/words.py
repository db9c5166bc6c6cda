"""What the form of a training says around its fields: how far it is, what a field means, the command line."""

import os
import textwrap
from pathlib import Path

from rich.cells import chop_cells
from rich.text import Text

from mia_tui.config.command import quoted
from mia_tui.text import counted
from mia_tui.tui.training.config_form import fault_style
from mia_tui.tui.training.form import field_of
from mia_tui.tui.training.form_view import FormView
from mia_tui.tui.training.form_words import help_of, note_of
from mia_tui.tui.training.outlook import StartEstimate
from mia_tui.tui.widgets.ink import Ink

_COMMAND_LINES = 2
_LEAST_COLUMNS = 10


def state_words(view: FormView, outlook: StartEstimate | None) -> str:
    """How far the form is from a training, in a few words; `outlook` is None before the data were looked at."""
    faults = view.faults
    if faults:
        return f"{counted(len(faults), 'fault')}: F5 shows the first"
    if outlook is None:
        return ""
    if outlook.problem:
        return "cannot train yet"
    totals = outlook.totals
    return f"{totals['train']:,} to train, {totals['val']:,} to validate"


def help_text(view: FormView, ink: Ink) -> Text:
    """What the field under the cursor means, below what is wrong with it."""
    fault = view.faults.get(view.name)
    text = Text()
    if fault is not None:
        text.append(f"{ink.broken} {ink.shown(fault)}\n", style=fault_style(ink))
    text.append(ink.shown(help_of(field_of(view.name))))
    note = note_of(view.name, view.form)
    if note:
        text.append(f"\n{ink.shown(note)}", style="dim")
    return text


def shown_command(command: str, dataset: Path, columns: int, ink: Ink) -> str:
    """The command line; where it is long, the path gives way to the options, and is copied whole.

    Args:
        command: As it would be typed.
        dataset: The folder that stands in it.
        columns: Width of the place it is shown in.
        ink: What the terminal can show.
    """
    shown, width = f"$ {command}", max(_LEAST_COLUMNS, columns)
    lines = _wrapped(shown, width, ink)
    if len(lines) > _COMMAND_LINES:
        shown = shown.replace(quoted(os.fspath(dataset)), f"{ink.more}/{quoted(dataset.name)}", 1)
        lines = _wrapped(shown, width, ink)
    if len(lines) > _COMMAND_LINES:  # the last line says that there is more
        last = " ".join(lines[_COMMAND_LINES - 1 :])
        lines = [*lines[: _COMMAND_LINES - 1], ink.fit(last, width)]
    return "\n".join(lines)


def _wrapped(text: str, width: int, ink: Ink) -> list[str]:
    """Lines of a text, broken between words: the widget would do it by itself, and cut what is too much."""
    lines = textwrap.wrap(ink.shown(text), width, break_on_hyphens=False, replace_whitespace=False)
    return [piece for line in lines for piece in chop_cells(line, width)]
