"""From a key to an exported network: a format and a folder are chosen, and a process of its own writes it."""

import asyncio
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mia_tui.catalog.model_formats import MODEL_FORMATS, ONNX_INSTALL, ModelFormatName
from mia_tui.errors import MiaError
from mia_tui.paths import typed_path
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.export_program import ExportAsked, export_in_process
from mia_tui.text import printable
from mia_tui.tui.dialogs import Choice, PickDialog, PlaceDialog

if TYPE_CHECKING:
    from mia_tui.tui.screen import KeyedScreen


@dataclass(frozen=True)
class FormatChoice:
    """A format, and whether a file with weights of 8 bits is made, too."""

    format: ModelFormatName
    quantise: bool = False


class FormatDialog(PickDialog[FormatChoice]):
    """The formats, each with what it is for."""

    IS_WIDE = True


async def export_network(screen: "KeyedScreen[Any]", run: RunDir, dataset: Path) -> None:
    """Ask in which format and to where, and export the network of a run in the background.

    Args:
        screen: Asks, and says what happens.
        run: A training that has weights.
        dataset: Where its images are now.
    """
    chosen = await screen.ask(FormatDialog("Export the network as what?", _choices(), screen.context.ink))
    if chosen is None:
        return
    if chosen.format == "onnx" and find_spec("onnxscript") is None:
        screen.say(f"For ONNX a few packages are missing here: {ONNX_INSTALL}")
        return
    absolute = dataset.absolute()
    usual = absolute.with_name(f"{absolute.name}-{run.name}-{chosen.format}")
    text = await screen.ask(
        PlaceDialog(
            "Write the network and its model card to which folder?",
            value=str(usual),
            hint="{ok} writes it, {cancel} changes nothing.",
            replaced=True,
            needed="A folder needs a name.",
        )
    )
    if text is None:
        return
    path = typed_path(text)
    out = path if path.is_absolute() else absolute / path
    overwrite = await _may_replace(screen, out)
    if overwrite is not None:
        asked = ExportAsked(chosen.format, out, chosen.quantise, overwrite)
        screen.say("Exporting the network, which takes a minute or two; you can go on meanwhile.")
        screen.run_in_background(lambda: _write(screen, run, asked, dataset))


def _choices() -> list[Choice[FormatChoice]]:
    found = []
    for name, known in MODEL_FORMATS.items():
        found.append(Choice(f"{name}: {known.words}", FormatChoice(name)))
        if name == "onnx":
            found.append(
                Choice(
                    "onnx, and a smaller, faster file with weights of 8 bits",
                    FormatChoice(name, quantise=True),
                )
            )
    return found


async def _may_replace(screen: "KeyedScreen[Any]", out: Path) -> bool | None:
    """Whether an earlier export may be replaced; None if the person says no."""
    if not await asyncio.to_thread(_is_there, out):
        return False
    sure = await screen.confirm(
        f"Replace {printable(out.name)}?",
        f"{printable(out)} exists already. Only an exported network is replaced, nothing else.",
        no="No",
        yes="Replace",
    )
    return True if sure else None


def _is_there(out: Path) -> bool:
    try:
        return any(out.iterdir())
    except OSError:  # said when it is written
        return False


async def _write(screen: "KeyedScreen[Any]", run: RunDir, asked: ExportAsked, dataset: Path) -> None:
    try:
        done = await asyncio.to_thread(export_in_process, run, asked, dataset=dataset)
    except MiaError as error:
        screen.say("")
        screen.show_error(error)
        return
    screen.say(done)
    screen.show_message(done, long=True)
