"""Class folders: each folder of the dataset is a class, with or without folders train, val and test above."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.model import ImageKey, Part
from mia_tui.dataset.scan.walk import natural_key
from mia_tui.errors import DataError
from mia_tui.text import counted, name_some, printable

PART_FOLDERS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""Top folders with these names, in upper or lower case, are parts; the classes are one level below."""


@dataclass(frozen=True)
class ClassFolders:
    """A tree of class folders.

    Attributes:
        names: Class names in natural order.
        labels: Position in `names` of each image in a class folder.
        parts: Part of each image if the top folders are parts; else empty.
        loose: Images beside the class folders, which have no class.
    """

    names: tuple[str, ...]
    labels: dict[ImageKey, int]
    parts: dict[ImageKey, Part]
    loose: tuple[ImageKey, ...] = ()

    @property
    def notes(self) -> list[str]:
        """A sentence that names the images without a class, if there are any."""
        if not self.loose:
            return []
        count = counted(len(self.loose), "image is", "images are")
        return [f"{count} in no class folder: {name_some(key.path for key in self.loose)}."]


def read_class_folders(keys: Iterable[ImageKey], *, explicit: bool = False) -> ClassFolders | None:
    """The classes of a tree of folders, or None if its folders are not classes.

    They are if every image is exactly one folder deep, below the part if the top folders are parts.

    Args:
        keys: The images of the dataset.
        explicit: Whether the user said that folders are classes. Then images deeper below a class folder belong to
            that class, as in torchvision, those beside class folders have none, and one class is enough. Without
            that, a single folder, as `images/`, is rarely a class.
    """
    keys = list(keys)
    if class_folders_fault(keys, explicit=explicit) is not None:
        return None
    depth = _part_depth(keys)
    folder_of = {key: key.path.split("/")[depth] for key in keys if key.path.count("/") > depth}
    names = sorted({class_name(folder) for folder in folder_of.values()}, key=natural_key)
    position = {name: index for index, name in enumerate(names)}
    return ClassFolders(
        names=tuple(names),
        labels={key: position[class_name(folder)] for key, folder in folder_of.items()},
        parts={key: PART_FOLDERS[_top(key).casefold()] for key in keys if "/" in key.path} if depth else {},
        loose=tuple(key for key in keys if key not in folder_of),
    )


def images_by_class(folders: Mapping[str, int], *, explicit: bool = False) -> dict[str, int] | None:
    """The number of images of each class, if all folders with images are classes; else None.

    Args:
        folders: The number of images directly in each folder, by its path in the dataset; "" is the dataset.
        explicit: As for `read_class_folders`.
    """
    places = {
        ImageKey(f"{path}/x" if path else "x"): images  # any image of that folder
        for path, images in folders.items()
        if images
    }
    found = read_class_folders(places, explicit=explicit)
    if found is None:
        return None
    counts = dict.fromkeys(found.names, 0)
    for key, position in found.labels.items():
        counts[found.names[position]] += places[key]
    return counts


def class_folders_fault(keys: Iterable[ImageKey], *, explicit: bool = False) -> str | None:
    """Why the folders are not classes, as a sentence; None if they are."""
    keys = list(keys)
    if not keys:
        return "There are no images."
    inside = [key for key in keys if "/" in key.path]
    if not inside:
        return f"{printable(keys[0].path)} is in no folder."
    if len(inside) < len(keys) and not explicit:
        loose = list(dict.fromkeys(key.path for key in keys if "/" not in key.path))
        return f"{name_some(loose)} {'is' if len(loose) == 1 else 'are'} in no folder."
    tops = {_top(key) for key in inside}
    parts = sorted(top for top in tops if top.casefold() in PART_FOLDERS)
    others = sorted(tops.difference(parts), key=natural_key)
    if parts and others:
        part, other = printable(parts[0]), printable(others[0])
        return f"The folder {part} is a part of the split by its name, but {other} beside it is not."
    depth = 1 if parts else 0
    placed = [
        key
        for key in inside
        if key.path.count("/") == depth + 1 or (explicit and key.path.count("/") > depth)
    ]
    if not placed or (len(placed) < len(inside) and not explicit):
        wrong = next(key for key in inside if key.path.count("/") != depth + 1)
        wanted = f"one folder below {printable(_top(wrong))}" if parts else "exactly one folder deep"
        return f"{printable(wrong.path)} is not {wanted}."
    classes = {class_name(key.path.split("/")[depth]) for key in placed}
    if "" in classes:
        return "One of the folders has a blank name."
    if len(classes) == 1 and not explicit:
        return f"All images are in one folder, {classes.pop()}."
    return None


def folder_labels(keys: Iterable[ImageKey], *, name: str) -> LabelFile:
    """The labels given by class folders, for an import.

    Raises:
        DataError: If the folders are not classes; the sentence says why.
    """
    keys = list(keys)
    folders = read_class_folders(keys, explicit=True)
    if folders is None:
        raise not_class_folders(keys, name)
    labels = {key: folders.names[index] for key, index in folders.labels.items()}
    return LabelFile(name=name, labels=labels, source="folders", notes=tuple(folders.notes))


def not_class_folders(keys: Iterable[ImageKey], name: str) -> DataError:
    """The error for a dataset whose folders are not classes, though the user said so."""
    return DataError(
        f"The folders of {printable(name)} are not classes: {class_folders_fault(keys, explicit=True)}",
        "Put every image into one folder per class (with folders train, val and test above if you like), "
        "or import labels from a CSV file.",
    )


def _part_depth(keys: Sequence[ImageKey]) -> int:
    return 1 if any("/" in key.path and _top(key).casefold() in PART_FOLDERS for key in keys) else 0


def _top(key: ImageKey) -> str:
    return key.path.split("/")[0]
