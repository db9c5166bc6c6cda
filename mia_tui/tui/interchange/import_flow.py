"""From a key to imported labels: what to import is chosen, what would change is said, and only then it is written."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mia_tui.config.user.kept import keep_offered, kept_settings
from mia_tui.dataset.interchange.formats import ExistingLabels, LabelFile, LabelFormat, format_named
from mia_tui.dataset.interchange.importing import ImportPlan, ImportReport, import_labels, plan_import
from mia_tui.dataset.interchange.reading import read_labels_of
from mia_tui.dataset.scan.incremental import scan_of
from mia_tui.errors import DataError, MiaError
from mia_tui.paths import exists, typed_path
from mia_tui.text import counted, encode_name, printable
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.dialogs import Choice, PickDialog, Question, TextDialog
from mia_tui.tui.interchange.found_files import FoundLabels, find_labels, labels_in_file

if TYPE_CHECKING:
    from mia_tui.tui.screen import KeyedScreen

ImportAs = ExistingLabels | Literal["suggestions"]
"""As labels, and what becomes of other labels that images have; or as suggestions of a model."""

_RULES: tuple[tuple[str, ExistingLabels], ...] = (
    ("mine", "keep"),
    ("mine, and theirs beside it as an opinion, to be decided under Disputes", "opinion"),
    ("the later one of each image", "newer"),
    ("theirs", "replace"),
)
_NUMBERS = "What are MIA's classes 0, 1, 2 … called? With commas between."
_NUMBERS_HINT = "{ok} reads the labels; empty: class 0, class 1 …"


class SourceDialog(PickDialog[FoundLabels]):
    """A list of labels that were found; the path of any other file can be typed."""

    IS_WIDE = True


class LabelImport:
    """Imports labels into an open dataset.

    Args:
        controller: The dataset.
        screen: Asks, and says what happens.
    """

    def __init__(self, controller: LabelController, screen: "KeyedScreen[Any]") -> None:
        self._controller, self._session, self._screen = controller, controller.session, screen

    async def ask(self) -> None:
        """Ask what to import, and import it.

        Raises:
            MiaError: If it cannot be written.
        """
        found, error = await self._found(), ""
        while True:
            chosen = await self._screen.ask(self._dialog(found, error))
            if chosen is None:
                return
            try:
                done = await self._import(chosen)
            except MiaError as refused:
                error = str(refused)
                continue
            if done:
                return

    async def offer(self) -> None:
        """Offer to import labels that lie beside the images, once for each file; not where there are labels.

        Raises:
            MiaError: If it cannot be written.
        """
        if self._session.counts.labelled:
            return
        offered = kept_settings().offered
        for found in await self._beside():
            name = encode_name(str(found.file or self._controller.dataset / found.format.name))
            if not found.is_likely or name in offered or (found.format.reads == "dataset" and found.file):
                continue
            try:
                plan = await self._plan(found, None)
            except MiaError:  # no labels of these images: nobody asked for it
                continue
            keep_offered(name)
            if await self._decide(found, plan, offers=True):
                return

    async def _found(self) -> list[FoundLabels]:
        """What can be imported without typing a path."""
        found = await self._beside()
        if await self._controller.class_folders() is not None:
            found.append(FoundLabels(format_named("folders"), None, "the names of the folders with images"))
        return found

    async def _beside(self) -> list[FoundLabels]:
        """What lies beside the images; about folders that look like classes the person is asked elsewhere."""
        listing = self._session.listing
        later = listing.folders_later()
        folders = await asyncio.to_thread(lambda: [folder.path for folder in later() if folder.images])
        return await asyncio.to_thread(find_labels, self._controller.dataset, folders)

    def _dialog(self, found: Sequence[FoundLabels], error: str) -> SourceDialog:
        choices = [Choice(each.words, each) for each in found]
        how = "Choose, or type the path of another file." if found else "Type the path of a file."
        return SourceDialog(
            f"Import which labels? {how}",
            choices,
            self._screen.context.ink,
            hint="{ok} reads them and says what would change, {cancel} changes nothing.",
            typed=self._typed,
            error=error,
        )

    def _typed(self, text: str) -> FoundLabels | None:
        """A file by its path: absolute, or in the dataset's folder."""
        if not text.strip():
            return None
        path = typed_path(text)
        return labels_in_file(path if path.is_absolute() else self._controller.dataset / path)

    async def _import(self, found: FoundLabels) -> bool:
        """Read labels, ask about them, and write them; False if the person wants to choose others."""
        names: str | None = None
        if "--classes" in found.format.options:
            typed = await self._screen.ask(TextDialog(_NUMBERS, hint=_NUMBERS_HINT))
            if typed is None:
                return False
            names = typed.strip() or None
        return await self._decide(found, await self._plan(found, names))

    async def _plan(self, found: FoundLabels, names: str | None) -> ImportPlan:
        self._screen.say(f"Reading {found.words}")
        self._screen.show()
        try:
            read = await asyncio.to_thread(self._read, found.format, found.file, names)
            plan = await self._controller.store_thread.read(lambda store: plan_import(store, read))
        finally:
            self._screen.say("")
            self._screen.show()  # also behind the question that comes
        return plan_import(None, read) if plan is None else plan

    def _read(self, label_format: LabelFormat, file: Path | None, names: str | None) -> LabelFile:
        if file is not None and exists(file) and not file.is_file():
            # One would wait for ever for what comes through a pipe.
            raise DataError(f"{printable(file)} is no file.", "Type the path of a file with labels.")
        dataset, found = self._controller.dataset, scan_of(self._session.listing)
        return read_labels_of(
            dataset, found, label_format, file, names, probabilities=label_format.reads == "file"
        )

    async def _decide(self, found: FoundLabels, plan: ImportPlan, *, offers: bool = False) -> bool:
        """Say what would change, and do what the person says; False if that is nothing."""
        ink = self._screen.context.ink
        answers: list[tuple[str, ImportAs | None]] = [("No", None)]
        if plan.compared is not None:
            answers.append(("Merge", "keep"))
        else:
            answers.append(("Replace" if plan.different else "Import", "replace"))
            if plan.different:
                answers.append(("Keep mine", "keep"))
        if found.file is not None and plan.compared is None:
            answers.insert(1 if found.is_predicted else len(answers), ("As suggestions", "suggestions"))
        title = f"Import {found.words}?"
        if offers and found.file is not None:
            title = f"{printable(found.file.name)} lies beside the images. Import it?"
        text = "\n".join([*plan.sentences, *plan.notes])
        question = Question(ink.shown(title), ink.shown_lines(text), answers)
        chosen: ImportAs | None = await self._screen.ask(question)
        if chosen == "keep" and plan.compared is not None and plan.different:
            chosen = await self._choose_rule(len(plan.different))
        if chosen == "suggestions":
            await self._suggest(found, plan.file)
        elif chosen is not None:
            await self._write(plan.file, chosen)
        return chosen is not None

    async def _choose_rule(self, conflicts: int) -> ExistingLabels | None:
        """Ask which label stays where both sides labelled an image otherwise."""
        choices = [Choice(words, rule) for words, rule in _RULES]
        title = f"{counted(conflicts, 'image')} labelled otherwise here. Which label stays?"
        return await self._screen.ask(PickDialog(title, choices, self._screen.context.ink))

    async def _write(self, read: LabelFile, existing: ExistingLabels) -> None:
        what = f"{counted(len(read.labels), 'label')} of {read.name}"
        report = await self._controller.write(
            lambda store: import_labels(store, read, existing=existing), what
        )
        undo = self._screen.key("undo")
        if read.copy is not None:
            self._say_merged(read, report, existing)
            return
        kept = f"; {report.kept:,} kept another label" if report.kept else ""
        self._screen.say(
            f"{counted(report.images - report.kept, 'image')} labelled by {printable(read.name)}, "
            f"{report.changed:,} of them new or changed{kept}; {undo} undoes it."
        )

    def _say_merged(self, read: LabelFile, report: ImportReport, existing: ExistingLabels) -> None:
        words = f"{counted(report.changed, 'label')} of {printable(read.name)} taken over"
        if report.conflicts and existing == "opinion":
            words += f"; {len(report.conflicts):,} differ from yours: the command Disputes shows them"
        elif report.kept:
            words += f"; {report.kept:,} kept another label"
        self._screen.say(f"{words}; {self._screen.key('undo')} undoes it.")

    async def _suggest(self, found: FoundLabels, read: LabelFile) -> None:
        from mia_tui.runs.prediction.import_file import import_suggestions

        assert found.file is not None
        file, state = found.file, self._screen.context.state
        await asyncio.to_thread(lambda: import_suggestions(self._controller.dataset, read, file, state=state))
        said = await self._controller.suggestions.refresh()
        self._screen.say(said or f"{counted(len(read.labels), 'suggestion')} of {printable(read.name)}.")
