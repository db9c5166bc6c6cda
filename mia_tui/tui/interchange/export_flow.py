"""From a key to exported labels: a format and a place are chosen, and the file is written in the background."""

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mia_tui.dataset.dataset import Dataset, parts_of
from mia_tui.dataset.interchange.exporting import write_labels_of
from mia_tui.dataset.interchange.formats import ExportResult, LabelFormat, Transfer, export_formats
from mia_tui.dataset.labelled_images import labelled_images
from mia_tui.dataset.scan.incremental import scan_of
from mia_tui.errors import MiaError
from mia_tui.paths import exists, typed_path
from mia_tui.text import printable
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.dialogs import Choice, PickDialog, PlaceDialog

if TYPE_CHECKING:
    from mia_tui.tui.label.session_screen import SessionScreen

_WAYS: tuple[tuple[Transfer, str], ...] = (
    ("copy", "copies of the images"),
    ("hardlink", "hard links, which take no room on the same disk"),
    ("symlink", "symbolic links to the images"),
)


@dataclass(frozen=True)
class ExportChoice:
    """What to write.

    Attributes:
        format: The format.
        words: What a person calls it.
        transfer: How images are brought into class folders.
        parts: Whether the parts of the split are folders, too.
        include_missing: Whether labels of images that are gone are written.
    """

    format: LabelFormat
    words: str
    transfer: Transfer = "copy"
    parts: bool = False
    include_missing: bool = False


class LabelExport:
    """Exports the labels of an open dataset.

    Args:
        controller: The dataset.
        screen: Asks, and says what happens.
    """

    def __init__(self, controller: LabelController, screen: "SessionScreen[Any]") -> None:
        self._controller, self._screen = controller, screen

    async def ask(self) -> None:
        """Ask in which format and to where, and write it in the background."""
        if not self._controller.session.counts.labelled:
            self._screen.say("There are no labels to export yet.")
            return
        chosen = await self._screen.ask(self._dialog())
        if chosen is None:
            return
        text, error = self._usual_place(chosen), ""
        while True:
            target = await self._ask_place(chosen, text, error)
            if target is None:
                return
            text = "" if target == Path() else str(target)
            try:
                overwrite = await self._may_replace(chosen, target)
            except MiaError as refused:
                error = str(refused)
                continue
            if overwrite is not None:
                break
        self._screen.say(_writing(chosen))
        self._screen.run_in_background(
            lambda: self._write(chosen, None if target == Path() else target, overwrite)
        )

    def _dialog(self) -> PickDialog[ExportChoice]:
        choices: list[ExportChoice] = []
        for known in export_formats():
            if known.writes == "folder":
                choices += [ExportChoice(known, f"class folders with {words}", way) for way, words in _WAYS]
                choices.append(
                    ExportChoice(known, "class folders below train, val and test (copies)", parts=True)
                )
            elif known.writes == "dataset":
                choices.append(ExportChoice(known, "MIA's label folders"))
            else:
                choices.append(ExportChoice(known, known.title))
                if "--include-missing" in known.options and self._controller.session.counts.missing:
                    words = f"{known.title}, with the labels of missing images"
                    choices.append(ExportChoice(known, words, include_missing=True))
        return PickDialog(
            "Export the labels as what?",
            [Choice(each.words, each) for each in choices],
            self._screen.context.ink,
        )

    def _usual_place(self, chosen: ExportChoice) -> str:
        dataset = self._controller.dataset.absolute()
        if chosen.format.writes == "folder":
            return str(dataset.with_name(f"{dataset.name}-classes"))
        if chosen.format.writes == "dataset":
            return ""
        return str(dataset / f"labels{chosen.format.ending}")

    async def _ask_place(self, chosen: ExportChoice, value: str, error: str) -> Path | None:
        """Where to write; an empty path for beside the images, None if that was cancelled."""
        kind = "file" if chosen.format.writes == "file" else "folder"
        of_dataset = "; empty: beside the images" if chosen.format.writes == "dataset" else ""
        text = await self._screen.ask(
            PlaceDialog(
                f"Write {self._screen.context.ink.shown(chosen.words)} to which {kind}?",
                value=value,
                hint=f"{{ok}} writes it{of_dataset}, {{cancel}} changes nothing.",
                error=error,
                replaced=True,
                needed="" if of_dataset else f"A {kind} needs a name.",
            )
        )
        if text is None or (not text.strip() and not of_dataset):
            return None
        path = typed_path(text)
        return path if not text.strip() or path.is_absolute() else self._controller.dataset.absolute() / path

    async def _may_replace(self, chosen: ExportChoice, target: Path) -> bool | None:
        """Whether files that are there may be replaced; None if the person says no."""
        if chosen.format.writes != "file" or not await asyncio.to_thread(exists, target):
            return False
        sure = await self._screen.confirm(
            f"Replace {printable(target.name)}?",
            f"{printable(target)} exists already.",
            no="No",
            yes="Replace",
        )
        return True if sure else None

    async def _write(self, chosen: ExportChoice, target: Path | None, overwrite: bool) -> None:
        try:
            done = await asyncio.to_thread(self._export, chosen, target, overwrite)
            self._screen.did("export")
        except MiaError as error:
            if chosen.format.writes != "dataset" or overwrite or "--overwrite" not in (error.hint or ""):
                self._screen.show_error(error)
                return
            self._screen.queue.do(partial(self._ask_again, chosen, target, error.message), keep=True)
            return
        finally:
            self._screen.unsay(_writing(chosen))
        self._screen.show_message(done.summary, long=True)
        for warning in done.warnings:
            self._screen.show_message(warning, warning=True)

    async def _ask_again(self, chosen: ExportChoice, target: Path | None, why: str) -> None:
        """MIA's label files are there already: only the person knows whether they may be replaced."""
        if await self._screen.confirm("Replace MIA's label files?", why, no="No", yes="Replace"):
            self._screen.run_in_background(lambda: self._write(chosen, target, overwrite=True))

    def _export(
        self, chosen: ExportChoice, target: Path | None, overwrite: bool
    ) -> ExportResult:  # in a thread
        controller = self._controller
        scan = scan_of(controller.session.listing)
        labelled = labelled_images(
            scan,
            controller.dataset,
            controller.state,
            keep_empty=chosen.format.keeps_empty_classes,
            keep_missing=chosen.include_missing,
            annotator=controller.annotator,
        )
        found = Dataset(controller.dataset, scan, controller.state, labelled)
        done = write_labels_of(
            found,
            chosen.format,
            target,
            transfer=chosen.transfer,
            parts=parts_of(found) if chosen.parts else None,
            overwrite=overwrite,
            include_missing=chosen.include_missing,
        )
        return replace(done, warnings=(*labelled.notes, *done.warnings))


def _writing(chosen: ExportChoice) -> str:
    return f"Writing {chosen.words}"
