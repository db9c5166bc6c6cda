"""Making a report: reading, computing, drawing and writing, in this order."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_tui.config.jobs import JobConfig
from mia_tui.dataset.interchange.export_file import FOLDER_MODE, cannot_write, replace_file
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import ConfigError
from mia_tui.files import add_folder
from mia_tui.report.activation import where_it_looks
from mia_tui.report.archive import ArchiveContent, write_archive
from mia_tui.report.facts import RunFacts, read_facts_of_run
from mia_tui.report.figures import (
    FORMATS,
    FigureFormat,
    ReportFigure,
    class_counts,
    confusion_matrix,
    coverage_figure,
    figure_style,
    learning_curves,
    metrics_of_classes,
    precision_recall_curves,
    reliability_diagram,
    roc_curves,
    save_figure,
)
from mia_tui.report.numbers import ResultNumbers, compute_numbers
from mia_tui.report.page import PageContent, PagePart, render_page
from mia_tui.report.record import report_record
from mia_tui.report.thumbnails import (
    MOST_THUMBNAILS,
    ReportImage,
    data_uri,
    galleries_of_classes,
    gallery_of_errors,
    make_thumbnails,
)
from mia_tui.report.words.checklist import checklist
from mia_tui.report.words.limits import limits
from mia_tui.report.words.literature import citations
from mia_tui.report.words.methods import methods_paragraph
from mia_tui.report.words.settings import setting_rows
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted, printable


@dataclass(frozen=True)
class ReportWishes:
    """What to write.

    Attributes:
        page: The HTML file; None for none.
        archive: The archive; None for none.
        figures: The folder for figures; None for none.
        examples: Example images of each class in the archive.
        why: Whether galleries show where the network looks, which takes torch.
    """

    page: Path | None = None
    archive: Path | None = None
    figures: Path | None = None
    examples: int = 0
    why: bool = False


@dataclass(frozen=True, eq=False)
class MadeReport:
    """What was made.

    Attributes:
        record: The numbers as JSON.
        written: A sentence for each file or folder that was written.
        notes: What is missing, a sentence each.
    """

    record: dict[str, Any]
    written: tuple[str, ...]
    notes: tuple[str, ...]


def make_report(
    run: RunDir,
    wishes: ReportWishes,
    *,
    dataset: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> MadeReport:
    """Make the report of a run.

    Args:
        run: A training or an evaluation.
        wishes: What to write.
        dataset: The folder that the user named, as for `current_job`.
        say: Called with what is done next.

    Raises:
        RunError: If the run is of another kind, or cannot be read.
        MiaError: If something cannot be written.
    """
    say("Reading the run and its images.")
    facts = read_facts_of_run(run, dataset)
    say("Computing metrics and their intervals.")
    parts = tuple(compute_numbers(evaluated, facts.decision) for evaluated in facts.parts)
    report = _Report(facts, parts, wishes, say)
    return report.make()


class _Report:
    """A report in the making."""

    def __init__(
        self,
        facts: RunFacts,
        parts: tuple[ResultNumbers, ...],
        wishes: ReportWishes,
        say: Callable[[str], None],
    ) -> None:
        self._facts, self._parts, self._wishes, self._say = facts, parts, wishes, say
        self._names = _part_names(parts)
        self._methods = methods_paragraph(facts, parts[0] if parts else None)
        self._limits = limits(facts, parts)
        self._notes = list(facts.trouble)

    def make(self) -> MadeReport:
        facts, wishes = self._facts, self._wishes
        record = report_record(facts, self._parts, methods=self._methods, limits=self._limits)
        written, notes = [], self._notes
        if not any((wishes.page, wishes.archive, wishes.figures)):
            return MadeReport(record, (), tuple(notes))
        with figure_style():
            self._say("Drawing figures.")
            general = list(self._general_figures())
            of_parts = [list(self._figures_of(numbers)) for numbers in self._parts]
            files: dict[str, bytes] = {}
            kinds = FORMATS if wishes.figures or wishes.archive else ("svg",)
            for prefix, figures in (("", general), *zip(self._names, of_parts, strict=True)):
                for figure in figures:
                    files |= _files_of(figure, prefix, kinds)
        page = b""
        if wishes.page or wishes.archive:
            page = render_page(self._content(general, of_parts, files))
        if wishes.page is not None:
            replace_file(wishes.page, page)
            written.append(f"The report is in {printable(wishes.page)}.")
        if wishes.figures is not None:
            _write_figures(wishes.figures, files)
            written.append(f"{counted(len(files), 'file')} of figures are in {printable(wishes.figures)}.")
        if wishes.archive is not None:
            self._say("Writing the archive.")
            content = ArchiveContent(
                facts,
                tuple(zip(self._names, self._parts, strict=True)),
                page,
                files,
                record,
                self._methods,
                self._limits,
                wishes.examples,
            )
            notes += write_archive(wishes.archive, content)
            written.append(f"The archive is in {printable(wishes.archive)}.")
        return MadeReport(record, tuple(written), tuple(notes))

    def _general_figures(self) -> Iterator[ReportFigure]:
        facts = self._facts
        counts = class_counts(facts.counts()) if facts.samples else None
        if facts.state is not None and facts.training is not None:
            curves = learning_curves(facts.state.epochs, facts.state.best, facts.training.config.metric)
            if curves is not None:
                yield curves
        if counts is not None:
            yield counts

    def _figures_of(self, numbers: ResultNumbers) -> Iterator[ReportFigure]:
        if not numbers.image_count:
            return
        yield confusion_matrix(numbers)
        yield metrics_of_classes(numbers)
        for figure in (
            roc_curves(numbers, self._facts.colours),
            precision_recall_curves(numbers, self._facts.colours),
            reliability_diagram(numbers),
            coverage_figure(numbers),
        ):
            if figure is not None:
                yield figure

    def _content(
        self,
        general: Sequence[ReportFigure],
        of_parts: Sequence[Sequence[ReportFigure]],
        files: dict[str, bytes],
    ) -> PageContent:
        facts, training = self._facts, self._facts.training
        config: JobConfig = facts.run.job().config if training is None else training.config
        return PageContent(
            facts=facts,
            parts=self._page_parts(of_parts, files),
            figures=_with_pictures(general, "", files),
            methods=self._methods,
            limits=self._limits,
            checklist=checklist(
                facts, in_archive=self._wishes.archive is not None, examples=self._wishes.examples
            ),
            settings=setting_rows(config),
            literature=tuple(
                citations(
                    None if training is None else training.config,
                    why=self._wishes.why,
                    calibrated=any(numbers.reliability is not None for numbers in self._parts),
                )
            ),
            created_at=time.time(),
        )

    def _page_parts(
        self, of_parts: Sequence[Sequence[ReportFigure]], files: dict[str, bytes]
    ) -> list[PagePart]:
        self._say("Making thumbnails.")
        made, room = [], MOST_THUMBNAILS
        for number, (name, numbers, figures) in enumerate(
            zip(self._names, self._parts, of_parts, strict=True)
        ):
            errors = gallery_of_errors(numbers)
            room = max(0, room - len(errors.images))
            classes = [] if number else galleries_of_classes(numbers, room)
            images = [image for gallery in (errors, *classes) for image in gallery.images]
            root = numbers.evaluated.results.dataset
            pictures = make_thumbnails(root, {image.key: None for image in images})
            looks = {} if number or not self._wishes.why else self._looks(root, images)
            made.append(
                PagePart(numbers, _with_pictures(figures, name, files), errors, classes, pictures, looks)
            )
        return made

    def _looks(self, root: Path, images: Sequence[ReportImage]) -> Mapping[ImageKey, str]:
        """Pictures of where the network looks when it predicts the class that it predicted."""
        if self._facts.weights is None:
            self._notes.append("Where the network looks is not known: its weights are not there.")
            return {}
        self._say("Asking the network where it looks.")
        asked = [(image.key, image.predicted) for image in images]
        heat, why_not = where_it_looks(self._facts.weights, root, asked)
        if why_not:
            self._notes.append(f"Where the network looks is not known of all images: {why_not}")
        return make_thumbnails(root, heat)


def _part_names(parts: Sequence[ResultNumbers]) -> list[str]:
    """A name for the files of each part: test, val, or test-2 for a second one."""
    names: list[str] = []
    for numbers in parts:
        split = numbers.evaluated.results.split
        name = split if split in ("train", "val", "test", "all") else "images"
        count = sum(other.partition("-")[0] == name for other in names)
        names.append(f"{name}-{count + 1}" if count else name)
    return names


def _files_of(figure: ReportFigure, prefix: str, kinds: Sequence[FigureFormat]) -> dict[str, bytes]:
    return {f"{_file_name(figure, prefix)}.{kind}": save_figure(figure.figure, kind) for kind in kinds}


def _file_name(figure: ReportFigure, prefix: str) -> str:
    return f"{prefix}-{figure.name}" if prefix else figure.name


def _with_pictures(
    figures: Sequence[ReportFigure], prefix: str, files: dict[str, bytes]
) -> list[tuple[ReportFigure, str]]:
    return [
        (figure, data_uri(files[f"{_file_name(figure, prefix)}.svg"], "image/svg+xml")) for figure in figures
    ]


def _write_figures(folder: Path, files: dict[str, bytes]) -> None:
    try:
        add_folder(folder, parents=True, mode=FOLDER_MODE)
    except OSError as error:
        raise cannot_write(folder, error) from error
    for name, content in files.items():
        replace_file(folder / name, content, sync=False)


def check_place(path: Path, ending: str, option: str) -> None:
    """Refuse a file of another kind: a slip must not replace a picture.

    Raises:
        ConfigError: If the name does not end so, or is that of a folder.
    """
    if path.suffix.lower() != ending:
        raise ConfigError(f"{option} {printable(path)} does not end in {ending}.", "Name a file that does.")
    if path.is_dir():
        raise ConfigError(f"{option} {printable(path)} is a folder.", "Name a file in it.")
