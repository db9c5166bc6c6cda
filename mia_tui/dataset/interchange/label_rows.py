"""The rows of a file of labels, in any format with a row for each image: which images they mean, and their labels."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.image_names import ImageNames, Miss, NameMatch
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import Scan
from mia_tui.errors import LabelFileError
from mia_tui.text import counted, name_some, printable

MOST_PROBABLE = 1.001
"""A probability may be a little above 1: it was rounded."""


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One row.

    Attributes:
        line: Where it begins, from 1.
        name: What it calls the image.
        frame: Of the image; None for every frame.
        class_name: Empty for none.
        probability: Of that class; None if unknown.
    """

    line: int
    name: str
    frame: int | None
    class_name: str
    probability: float | None = None


@dataclass
class LabelRows:
    """Collects the labels of a file, row by row.

    Args:
        file: Its name, for messages.
        images: Finds the images that the rows name.
        unit: What `LabelRow.line` counts.
    """

    file: str
    images: ImageNames
    every_frame: dict[ImageKey, LabelRow] = field(default_factory=dict)
    one_frame: dict[ImageKey, LabelRow] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)
    by_ending: list[tuple[LabelRow, NameMatch]] = field(default_factory=list)
    misses: dict[Miss, list[str]] = field(
        default_factory=lambda: {"unmatched": [], "outside": [], "ambiguous": []}
    )
    blank: int = 0
    unit: str = "line"

    def label_file(self, scan: Scan, notes: Sequence[str]) -> LabelFile:
        """What was read, in the order of the images: a row for one frame overrides one for every frame.

        Args:
            scan: The images.
            notes: Sentences about what was noticed before.
        """
        added = self.add_by_ending()
        rows = self.every_frame | self.one_frame
        listed = [(key, rows[key]) for key in scan.keys if key in rows]
        return LabelFile(
            name=self.file,
            labels={key: row.class_name for key, row in listed},
            probabilities={key: row.probability for key, row in listed if row.probability is not None},
            unmatched=self.misses["unmatched"],
            outside=self.misses["outside"],
            ambiguous=self.misses["ambiguous"],
            blank=self.blank,
            notes=(*notes, *added, *self._of_whole_stacks()),
        )

    def _of_whole_stacks(self) -> list[str]:
        """That rows without a frame label each frame of a stack: somebody may have meant the stack as a whole."""
        stacks = {key.path for key in self.every_frame if key.frame > 0}
        if not stacks:
            return []
        is_one = len(stacks) == 1
        rows, all_of = (
            ("1 row names a stack", "its") if is_one else (f"{len(stacks):,} rows name stacks", "their")
        )
        return [
            f"{rows} without a frame, so all {all_of} frames have the class; `mia-tui labels stacks FOLDER whole` "
            "makes a stack one image."
        ]

    def add(self, label: LabelRow, found: NameMatch) -> None:
        """Add a row, or record why it cannot be used."""
        if not label.class_name:
            self.blank += 1
        elif found.path is None:
            self.misses[found.miss].append(
                label.name if label.name.strip() else f"{self.unit} {label.line} (no name)"
            )
        elif found.ending:
            self.by_ending.append((label, found))
        else:
            self.named.add(found.path)
            self._put(label, found.path)

    def add_by_ending(self) -> list[str]:
        """Add the rows of which only the end of the path matches, and say which ones.

        If several such paths match one image, the longest match is used, and none if the image is also named in
        full: /old/s2/a.png does not mean s1/a.png just because there is no s2.
        """
        best: dict[str, dict[str, int]] = defaultdict(dict)
        for label, found in self.by_ending:
            best[str(found.path)][_spelling(label.name)] = found.ending
        added = []
        for label, found in self.by_ending:
            path = str(found.path)
            longest = max(best[path].values())
            rivals = [name for name, ending in best[path].items() if ending == longest]
            if path in self.named or found.ending < longest:
                self.misses[found.miss].append(label.name)
            elif len(rivals) > 1:
                self.misses["ambiguous"].append(label.name)
            else:
                added.append(f"{label.name} is {path}")
                self._put(label, path)
        if not added:
            return []
        examples = name_some(dict.fromkeys(added), limit=2)
        return [f"{counted(len(added), 'row')} matched by the end of the path: {examples}."]

    def _put(self, label: LabelRow, path: str) -> None:
        keys = [key for key in self.images.frames[path] if label.frame in (None, key.frame)]
        if not keys:
            self.misses["unmatched"].append(f"{label.name} (frame {label.frame})")
        target = self.every_frame if label.frame is None else self.one_frame
        for key in keys:
            known = target.setdefault(key, label)
            if class_name(known.class_name) != class_name(label.class_name):
                first, second = sorted((known, label), key=lambda each: each.line)
                raise LabelFileError(
                    f"{self.file} gives {printable(key.path)} two classes: {printable(first.class_name)} in "
                    f"{self.unit} {first.line}, {printable(second.class_name)} in {self.unit} {second.line}.",
                    "Keep one of the two rows.",
                )


def _spelling(name: str) -> str:
    """The same text for all ways to write one path."""
    return name.strip().replace("\\", "/")
