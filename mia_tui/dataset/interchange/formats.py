"""The label formats of `mia-tui labels import` and `mia-tui labels export`: one record each.

To add a format, write its reader or writer in a module of this folder and add
a record at the end of this module. The choices of --format, their help, which
options go with which format, and which format a file is in all follow from the
record. Readers and writers are imported when they are used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from mia_tui.dataset.model import ImageKey, Part
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    from mia_tui.dataset.interchange.copies.reading import LabelCopy
    from mia_tui.dataset.interchange.programs.rows import RowsWriter
    from mia_tui.dataset.scan.scan import Scan

Transfer = Literal["copy", "hardlink", "symlink"]
ExistingLabels = Literal["replace", "keep", "newer", "opinion"]
"""What becomes of a label that an image has already, where a file has another class. Which one is newer, and whose
opinion it may be kept as beside the label here, only a labels.db says."""
LabelOption = Literal["--classes", "--transfer", "--parts", "--overwrite", "--include-missing"]


@dataclass(frozen=True)
class LabelFile:
    """Labels that were read, in any format; not in the store yet.

    Attributes:
        name: What was read, for messages: the file's name.
        labels: Class name of each image.
        probabilities: Of the class of each image, as far as they were asked for and known.
        copy: All that a labels.db says; None for other files.
        classes: The file's classes if their order means something, as for MIA's numbers; unused ones too.
        unmatched: Rows that name no image of the dataset.
        outside: Rows that name a path outside the dataset.
        ambiguous: Rows that match several images (a bare file name, a stem in MIA's format).
        unreadable: Label files that are broken, each with the reason.
        blank: Rows without a class; they are skipped.
        left_out: Outlines of background regions in MIA's files, which are not read.
        source: "folders" if the labels are the names of the dataset's own folders.
        notes: Sentences about what was noticed while reading.
    """

    name: str
    labels: dict[ImageKey, str]
    unmatched: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    blank: int = 0
    left_out: int = 0
    classes: tuple[str, ...] = ()
    source: Literal["folders", "store"] = "store"
    notes: tuple[str, ...] = ()
    probabilities: dict[ImageKey, float] = field(default_factory=dict)
    copy: "LabelCopy | None" = None

    @property
    def existing(self) -> ExistingLabels:
        """What becomes of other labels that images have unless somebody chooses."""
        return "replace" if self.copy is None else "keep"


@dataclass(frozen=True)
class ImportSource:
    """What a reader is given.

    Attributes:
        dataset: Folder of the images.
        scan: Its images.
        file: The file to read; None for formats that read the dataset's own folders.
        class_names: Names of the numbers from 0 (--classes), for formats that store numbers only.
        probabilities: Whether to read how probable each class is, too, if the file says so.
    """

    dataset: Path
    scan: "Scan"
    file: Path | None = None
    class_names: Sequence[str] | None = None
    probabilities: bool = False


@dataclass(frozen=True)
class ExportContent:
    """What a writer is given.

    Attributes:
        dataset: Folder of the images.
        scan: Its images.
        labels: Position in `classes` of each image.
        classes: Names.
        target: File or folder to write to, a text stream for standard output, or None for the dataset itself.
        parts: Part of each image, if folders for the parts are wanted.
        transfer: How images are brought into an exported folder.
        overwrite: Whether existing files may be replaced.
    """

    dataset: Path
    scan: "Scan"
    labels: Mapping[ImageKey, int]
    classes: Sequence[str]
    target: Path | TextIO | None = None
    parts: Mapping[ImageKey, Part] | None = None
    transfer: Transfer = "copy"
    overwrite: bool = False


@dataclass(frozen=True)
class ExportResult:
    """What a writer did, for the user: a summary (empty if there is nothing to say), and warnings."""

    summary: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelFormat:
    """A format that labels can be imported from, exported to, or both.

    Attributes:
        name: What --format calls it.
        read: Reads labels; None if the format can only be exported.
        write: Writes labels; None if the format can only be imported.
        import_help: What is read, for the help of --format.
        export_help: Where it is written, for the help of --format.
        reads: "file" if it needs a FILE to read, "dataset" if it reads what is in the dataset.
        writes: "file" for a FILE or else standard output, "folder" for a new folder FILE, "dataset" for files
            beside the images or in the folder FILE.
        suffixes: Endings of file names, as `.csv`, by which the format is recognised.
        options: Options that only some formats have a use for, and this one has.
        keeps_empty_classes: Whether the position of a class matters, so that classes without images count.
        title: Where it writes a file, what people call that, as `a CSV file`.
        ending: Of the name of a new file.
    """

    name: str
    read: Callable[[ImportSource], LabelFile] | None = None
    write: Callable[[ExportContent], ExportResult] | None = None
    import_help: str = ""
    export_help: str = ""
    reads: Literal["file", "dataset"] = "file"
    writes: Literal["file", "folder", "dataset"] = "file"
    suffixes: tuple[str, ...] = ()
    options: frozenset[LabelOption] = frozenset()
    keeps_empty_classes: bool = False
    title: str = ""
    ending: str = ".csv"


_formats: dict[str, LabelFormat] = {}


def register(label_format: LabelFormat) -> None:
    """Make a format available for import and export.

    Raises:
        ValueError: If another format has its name.
    """
    if label_format.name in _formats:
        raise ValueError(f"there is a label format {label_format.name} already")
    _formats[label_format.name] = label_format


def import_formats() -> list[LabelFormat]:
    """The formats that labels can be imported from."""
    return [known for known in _formats.values() if known.read is not None]


def export_formats() -> list[LabelFormat]:
    """The formats that labels can be exported to."""
    return [known for known in _formats.values() if known.write is not None]


def format_named(name: str) -> LabelFormat:
    """The format with this name; KeyError if there is none."""
    return _formats[name]


def format_of_file(file: Path, formats: Sequence[LabelFormat]) -> LabelFormat:
    """The format that a file is in, by the ending of its name; CSV if no format has this ending."""
    suffix = file.suffix.lower()
    return next((known for known in formats if suffix in known.suffixes), _formats["csv"])


def formats_with(option: LabelOption) -> list[str]:
    """Names of the formats that have a use for an option."""
    return [known.name for known in _formats.values() if option in known.options]


def _read_csv(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.csv_labels import read_labels

    assert source.file is not None
    return read_labels(source.file, source.scan, dataset=source.dataset, probabilities=source.probabilities)


def _read_jsonl(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.jsonl_labels import read_jsonl

    assert source.file is not None
    return read_jsonl(source.file, source.scan, dataset=source.dataset, probabilities=source.probabilities)


def _read_label_copy(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.copies.reading import read_label_copy

    assert source.file is not None
    return read_label_copy(source.file, source.scan, dataset=source.dataset)


def _write_csv(content: ExportContent) -> ExportResult:
    from mia_tui.dataset.interchange.csv_labels import write_labels

    assert content.target is not None
    count = write_labels(content.target, content.labels, content.classes)
    if not isinstance(content.target, Path):
        return ExportResult()
    return ExportResult(f"{counted(count, 'label')} written to {printable(content.target)}.")


def _write_rows(content: ExportContent, write: "RowsWriter") -> ExportResult:
    """Write labels in a format that predictions can have, too."""
    from io import BytesIO

    from mia_tui.dataset.interchange.export_file import replace_file
    from mia_tui.dataset.interchange.programs.rows import label_rows

    buffer = BytesIO()
    done = write(buffer, label_rows(content))
    if isinstance(content.target, Path):
        replace_file(content.target, buffer.getvalue())
        return ExportResult(
            f"{counted(done.count, 'label')} written to {printable(content.target)}.", done.notes
        )
    assert content.target is not None
    content.target.write(buffer.getvalue().decode())
    return ExportResult(warnings=done.notes)


def _read_label_studio(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.programs.label_studio import read_tasks
    from mia_tui.dataset.interchange.programs.reading import begins_with

    assert source.file is not None
    if begins_with(source.file, b"{"):  # both write .json: Label Studio a list, FiftyOne an object
        return _read_fiftyone(source)
    return read_tasks(source.file, source.scan, dataset=source.dataset, probabilities=source.probabilities)


def _write_label_studio(content: ExportContent) -> ExportResult:
    from mia_tui.dataset.interchange.programs.label_studio import write_tasks

    return _write_rows(content, write_tasks)


def _read_cvat(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.programs.cvat import read_tags

    assert source.file is not None
    return read_tags(source.file, source.scan, dataset=source.dataset)


def _write_cvat(content: ExportContent) -> ExportResult:
    from mia_tui.dataset.interchange.programs.cvat import write_tags

    return _write_rows(content, write_tags)


def _read_fiftyone(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.programs.fiftyone import read_classifications

    assert source.file is not None
    return read_classifications(
        source.file, source.scan, dataset=source.dataset, probabilities=source.probabilities
    )


def _write_fiftyone(content: ExportContent) -> ExportResult:
    from mia_tui.dataset.interchange.programs.fiftyone import write_classifications

    return _write_rows(content, write_classifications)


def _read_mia_results(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.programs.mia_results import read_mia_results

    assert source.file is not None
    return read_mia_results(source.file, source.scan, dataset=source.dataset)


def _write_mia_results(content: ExportContent) -> ExportResult:
    from mia_tui.dataset.interchange.programs.mia_results import write_mia_results

    return _write_rows(content, write_mia_results)


def _read_folders(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.folders import folder_labels

    return folder_labels(source.scan.keys, name=printable(source.dataset))


def _write_folders(content: ExportContent) -> ExportResult:
    from mia_tui.dataset.interchange.folders_export import write_class_folders

    assert isinstance(content.target, Path)
    done = write_class_folders(
        content.target,
        content.dataset,
        content.labels,
        content.classes,
        keys=content.scan.keys,
        parts=content.parts,
        transfer=content.transfer,
    )
    return ExportResult(str(done))


def _read_mia(source: ImportSource) -> LabelFile:
    from mia_tui.dataset.interchange.mia import read_mia

    return read_mia(source.dataset, source.scan, source.class_names)


def _write_mia(content: ExportContent) -> ExportResult:
    from mia_tui.dataset.interchange.mia import write_mia

    out = content.target if isinstance(content.target, Path) else None
    done = write_mia(
        content.dataset, content.scan, content.labels, content.classes, out=out, overwrite=content.overwrite
    )
    numbers = ", ".join(f"{number} {printable(name)}" for name, number in done.numbers.items())
    return ExportResult(
        f"{done.files:,} label files written; MIA's class numbers: {numbers}.", warnings=done.notes
    )


register(
    LabelFormat(
        "csv",
        _read_csv,
        _write_csv,
        import_help="FILE (file,class)",
        export_help="to FILE (with tabs if it ends in .tsv), or to stdout",
        suffixes=(".csv", ".tsv", ".txt"),
        options=frozenset({"--overwrite", "--include-missing"}),
        title="a CSV file (file, frame, class)",
    )
)
register(
    LabelFormat(
        "jsonl", _read_jsonl, import_help="FILE (an object with file and class a line)", suffixes=(".jsonl",)
    )
)
register(
    LabelFormat(
        "folders",
        _read_folders,
        _write_folders,
        import_help="the dataset's folders",
        export_help="to the folder FILE",
        reads="dataset",
        writes="folder",
        options=frozenset({"--transfer", "--parts"}),
    )
)
register(
    LabelFormat(
        "mia",
        _read_mia,
        _write_mia,
        import_help="label folders beside the images",
        export_help="beside the images, or to FILE",
        reads="dataset",
        writes="dataset",
        options=frozenset({"--classes", "--overwrite"}),
        keeps_empty_classes=True,  # a class's number in MIA's files is its position in the store
    )
)
register(
    LabelFormat(
        "mia-csv",
        _read_mia_results,
        _write_mia_results,
        import_help="FILE with the results of MIA (image name, frame number, class, classname)",
        export_help="the same columns, to FILE or to stdout",
        options=frozenset({"--overwrite"}),
        keeps_empty_classes=True,
        title="a CSV file with the columns of MIA's results",
    )
)
register(
    LabelFormat(
        "label-studio",
        _read_label_studio,
        _write_label_studio,
        import_help="FILE of tasks exported as JSON",
        export_help="tasks with annotations, to FILE or to stdout",
        suffixes=(".json",),
        options=frozenset({"--overwrite"}),
        title="tasks of Label Studio (JSON)",
        ending=".json",
    )
)
register(
    LabelFormat(
        "cvat",
        _read_cvat,
        _write_cvat,
        import_help='FILE of tags, "CVAT for images 1.1"',
        export_help="the same, to FILE or to stdout",
        suffixes=(".xml",),
        options=frozenset({"--overwrite"}),
        title="tags of CVAT (XML)",
        ending=".xml",
    )
)
register(
    LabelFormat(
        "fiftyone",
        _read_fiftyone,
        _write_fiftyone,
        import_help="FILE, the labels.json of image classification",
        export_help="the same, to FILE or to stdout",
        options=frozenset({"--overwrite"}),
        title="classes of FiftyOne (JSON)",
        ending=".json",
    )
)
register(
    LabelFormat(
        "labels.db",
        _read_label_copy,
        import_help="FILE of a copy of the dataset, with annotators, notes and opinions",
        suffixes=(".db",),
    )
)
