"""Labels that lie beside the images: files in the dataset's folder, MIA's label folders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.dataset.interchange.formats import LabelFormat, format_named, format_of_file, import_formats
from mia_tui.dataset.scan.other_kinds import LABEL_FOLDER
from mia_tui.paths import is_file
from mia_tui.text import printable, size_words

_LARGEST_BYTES = 1 << 30
_LARGEST_OFFERED_BYTES = 1 << 24  # an offer reads the file, at each start until there are labels
_MOST_FILES = 30
_OF_MANY_PROGRAMS = (".db", ".json", ".xml")
_LIKELY = ("label", "class", "annotation", "prediction", "truth", "target")
_PREDICTIONS = ("prediction", "suggestion")


@dataclass(frozen=True)
class FoundLabels:
    """Labels that can be imported.

    Attributes:
        format: How they are read.
        file: The file; None for labels in the dataset itself.
        words: What a person calls them.
        size_bytes: Of the file; 0 where it does not matter.
    """

    format: LabelFormat
    file: Path | None
    words: str
    size_bytes: int = 0

    @property
    def is_likely(self) -> bool:
        """Whether the name says that labels are in it, and it is soon read, so that it can be offered unasked."""
        if self.file is None:
            return True
        return self.size_bytes <= _LARGEST_OFFERED_BYTES and any(
            word in self.file.stem.lower() for word in _LIKELY
        )

    @property
    def is_predicted(self) -> bool:
        """Whether the name says that a model made them."""
        return self.file is not None and any(word in self.file.stem.lower() for word in _PREDICTIONS)


def labels_in_file(file: Path) -> FoundLabels:
    """The labels in a file, whose format its ending tells."""
    return FoundLabels(format_of_file(file, import_formats()), file, printable(file.name))


def find_labels(dataset: Path, folders: Sequence[str]) -> list[FoundLabels]:
    """The files of labels in the folder of a dataset, the likely ones first, and MIA's label folders; for a thread.

    Args:
        dataset: The folder.
        folders: All folders with images, relative to it; empty for the dataset's own.
    """
    endings = {suffix for known in import_formats() for suffix in known.suffixes}
    found: list[FoundLabels] = []
    try:
        with os.scandir(dataset) as entries:
            for entry in entries:
                ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  # a Path for each image takes long
                if ending not in endings or entry.name.startswith((".", "~$")) or not is_file(entry):
                    continue
                if ending in _OF_MANY_PROGRAMS and not any(word in entry.name.lower() for word in _LIKELY):
                    continue  # of a desktop, as thumbs.db, or of a microscope
                size = entry.stat().st_size
                if 0 < size <= _LARGEST_BYTES:
                    words = f"{printable(entry.name)}, {size_words(size)}"
                    found.append(
                        FoundLabels(
                            labels_in_file(dataset / entry.name).format, Path(entry.path), words, size
                        )
                    )
    except OSError:
        return []
    found.sort(key=lambda each: (not each.is_likely, each.words))
    of_mia = sum(os.path.isdir(dataset / folder / LABEL_FOLDER) for folder in folders)  # noqa: PTH112  # never raises
    if of_mia:
        words = f"MIA's label folders ({LABEL_FOLDER})"
        found.insert(0, FoundLabels(format_named("mia"), None, words))
    return found[:_MOST_FILES]
