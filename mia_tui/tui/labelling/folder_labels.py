"""Folders that are classes: the labels of the images in them, and of those that come later."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mia_tui.dataset.model import ImageKey
from mia_tui.text import counted
from mia_tui.tui.labelling.controller import LabelController

if TYPE_CHECKING:
    from mia_tui.dataset.interchange.importing import ImportReport


async def take_folders(desk: LabelController) -> "ImportReport":
    """Make the dataset's folders its classes, and the labels of the images in them.

    Raises:
        DataError: If the folders are not classes (any more).
        StoreError: If the labels cannot be written.
    """
    listing = desk.session.listing
    keys = await asyncio.to_thread(lambda: listing.keys_except(()))  # slow for a million
    report = await _take(desk, keys)
    desk.source = "folders"
    return report


async def take_new_files(desk: LabelController) -> int:
    """Where folders are the classes, label the files that labels.db has never heard of. Returns how many.

    A person's decision stays: an image whose label was taken away is known, and not labelled again.
    """
    from mia_tui.dataset.interchange.folders import read_class_folders

    if desk.source != "folders" or not desk.session.classes or await desk.class_folders() is None:
        return 0  # without classes a training took the folders, and whether the app is to has not been asked
    known = await desk.keeper.read(lambda store: list(store.stored_files())) or []
    new = await asyncio.to_thread(desk.session.listing.keys_except, known)
    if read_class_folders(new, told=True) is None:  # all of them lie beside the class folders
        return 0
    return (await _take(desk, new)).changed


async def _take(desk: LabelController, keys: Sequence[ImageKey]) -> "ImportReport":
    from mia_tui.dataset.interchange.folders import folder_labels
    from mia_tui.dataset.interchange.importing import import_labels

    file = await asyncio.to_thread(lambda: folder_labels(keys, name=str(desk.dataset)))
    return await desk.write(
        lambda store: import_labels(store, file), counted(len(file.labels), "folder label")
    )
