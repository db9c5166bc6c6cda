"""Brings an open dataset up to date with its folder: finds its images, and does what follows from that for labels.

While the app runs, a thread scans the folder. What was found the last time is shown first; the scan replaces it only
if something changed. Once all files are known, labels follow those that moved, new files get the class of their
folder, the suggestions of a model appear, and the person is asked about folders that look like classes. Keys are
handled meanwhile.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.cache import save_listing
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import WHOLE_STACK, ImageKey, StackMode
from mia_tui.dataset.scan.incremental import ListedImages, list_images
from mia_tui.dataset.stacks import mode_words
from mia_tui.dataset.store.file_changes import (
    AppliedFileChanges,
    FileChanges,
    StoredFile,
    find_file_changes,
    has_work,
)
from mia_tui.dataset.store.frame_numbers import find_frames
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, MiaError, StoreError
from mia_tui.text import counted, name_some, printable
from mia_tui.tui.controller import garbage
from mia_tui.tui.controller.bookmark import Bookmark
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.stacks import about_stacks

if TYPE_CHECKING:
    from mia_tui.config.train import Frames
    from mia_tui.dataset.interchange.importing import ImportReport
    from mia_tui.tui.label.screen import LabelScreen

_ABOUT_FOLDERS = (
    "The folders look like classes: {}.\n\nIf you use them, every image gets the class of its folder; you can "
    "correct the labels, and undo all of it in one step."
)


class ScanThread:
    """Scans the folder of a dataset in a thread. All callbacks are called in that thread.

    Args:
        root: Folder of the dataset.
        known: What was found the last time; then `on_batch` is not called, and the result is saved only if
            something changed.
        frames: Whether animated files are one image or all of their frames.
        stacks: Says whether a stack is one image; asked in that thread.
        on_batch: Called with the files found, in order, while they are found; for `LabelSession.append`. The scan
            waits until `take_next` was called.
        on_found: Called with everything at the end.
        on_failed: Called with the reason if the folder cannot be read.
    """

    def __init__(
        self,
        root: Path,
        *,
        known: Listing | None,
        frames: "Frames",
        stacks: Callable[[], StackMode],
        on_batch: Callable[[ListingArrays], None],
        on_found: Callable[[ListedImages], None],
        on_failed: Callable[[DataError], None],
    ) -> None:
        self._root, self._known, self._frames, self._stacks = root, known, frames, stacks
        self._on_batch, self._on_found, self._on_failed = on_batch, on_found, on_failed
        self._is_started = False
        self._stopped = threading.Event()
        self._room = threading.Semaphore()  # the scan is never more than one batch ahead of the screen

    def start(self) -> None:
        """Start the scan; further calls do nothing."""
        if not self._is_started:
            self._is_started = True
            threading.Thread(target=self._work, name="scan", daemon=True).start()

    def stop(self) -> None:
        """End soon; no callback is called any more."""
        self._stopped.set()
        self.take_next()

    def take_next(self) -> None:
        """The last batch was handled: the next one may come."""
        self._room.release()

    def _hand_over(self, part: ListingArrays) -> None:
        self._room.acquire()
        self._on_batch(part)

    def _work(self) -> None:
        try:
            found = list_images(
                self._root,
                frames=self._frames,
                stacks=self._stacks(),
                on_batch=self._hand_over if self._known is None else None,
                stop=self._stopped.is_set,
            )
        except DataError as error:
            if not self._stopped.is_set():
                self._on_failed(error)
            return
        if found is not None and not self._stopped.is_set():
            if self._known is None or not self._known.same_files(found.listing):
                save_listing(self._root, found.listing)
            self._on_found(found)


class DatasetSync:
    """Takes over what scans find.

    Args:
        controller: The dataset.
        bookmark: Where the person was the last time.
        screen: Shows the dataset.

    Attributes:
        growing: Whether images are shown as they are found: nothing was known from the last time.
        scanned: Whether all files are known: no scan is running.
        idle: Whether what follows from the scan is done as well.
        opened: Whether one scan was taken over; later, suggestions come when a run ends, and new files when the
            person asks for them.
    """

    def __init__(self, controller: LabelController, bookmark: Bookmark, screen: "LabelScreen") -> None:
        self._controller, self._session = controller, controller.session
        self._bookmark, self._screen = bookmark, screen
        self.growing = not len(self._session.listing)
        self.scanned = False
        self.idle = False
        self.opened = False
        self._unwritable: str | None = None  # why nothing can be saved
        self._shown_notes: list[str] = []  # of the last scan: each is shown once

    def take_part(self, part: ListingArrays) -> None:
        """The scan found more images."""
        if self.growing:
            self._session.append(part)
            self._screen.show()

    def begin_rescan(self) -> bool:
        """Another scan starts now; False if one is still running."""
        if not self.idle:
            return False
        self.scanned = self.idle = False
        self._screen.show()
        return True

    async def take(self, outcome: ListedImages | DataError) -> None:
        """A scan is over: take over what it found, or say why it failed."""
        self.growing, self.scanned = False, True
        is_first, came = not self.opened, 0
        try:
            if isinstance(outcome, DataError):
                raise outcome
            came = await self._take_found(outcome)
        except MiaError as error:
            self._screen.show_error(error)
        if is_first:
            garbage.begin()
            if about := about_stacks(self._controller):
                self._screen.show_message(about)
        self.idle = self.opened = True
        if (is_first or came) and not self._unwritable:
            if await self._controller.left_behind() is not None:
                self._ask_later(self._ask_about_left_behind)
            elif await self._folders() is not None:
                self._ask_later(self._ask_about_folders)
            elif is_first and not self._session.counts.labelled:
                self._ask_later(self._offer_labels)
        self._screen.show()

    async def _take_found(self, found: ListedImages) -> int:
        """Take over what is there now, and say what changed. Returns the number of new images."""
        before, now = self._session.listing.stack_mode, found.listing.stack_mode
        placed = await asyncio.to_thread(found.listing.rows_from, self._session.listing)
        gone = int(np.count_nonzero(placed < 0))
        came = len(found.listing) - len(placed) + gone
        await self._controller.replace_listing(found.listing, placed)
        self._bookmark.go_back()
        self._screen.show()
        self._unwritable = await self._controller.why_unwritable()
        if self._unwritable and not self.opened:
            self._screen.show_error(StoreError(self._unwritable))
        notes: list[str] = []
        moved = 0
        try:
            if not self._unwritable:
                notes, moved = await apply_file_changes(self._controller, found, self._screen.key("unlink"))
            notes += await renumber_frames(self._controller, found.listing, can_write=not self._unwritable)
        except MiaError as error:  # labels and suggestions can be shown even if nothing can be written
            self._screen.show_error(error)
        if self.opened and before and now and before != now:  # nothing came or is gone on the disk
            self._screen.show_message(mode_words(now, found.listing.stacks()))
        elif self.opened and (not moved or max(came, gone) > moved):  # what was moved is neither new nor gone
            self._screen.show_message(_difference(max(came - moved, 0), max(gone - moved, 0)))
        for note in [*(note for note in found.notes if note not in self._shown_notes), *notes]:
            self._screen.show_message(note, warning=True)
        self._shown_notes = found.notes
        new = 0 if self._unwritable else await take_new_files(self._controller)
        if new:
            self._screen.show_message(
                f"{counted(new, 'new image')} got the class of {'its' if new == 1 else 'their'} folder."
            )
        suggested = None if self.opened else await self._controller.suggestions.refresh()
        if suggested:
            self._screen.show()
            self._screen.show_message(suggested)
        return came

    async def _folders(self) -> dict[str, int] | None:
        """Folders that look like classes, if nobody made classes yet; a training uses them without asking."""
        is_open = not self._session.classes and self._controller.source in (None, "folders")
        return await self._controller.class_folders() if is_open else None

    def _ask_later(self, ask: Command) -> None:
        """Ask something as a command, so that it never opens over another dialog; no other command drops it."""
        self._screen.queue.do(ask, keep=True)

    async def _offer_labels(self) -> None:
        """Offer to import labels that lie beside the images."""
        from mia_tui.tui.interchange.import_flow import LabelImport

        await LabelImport(self._controller, self._screen).offer()

    async def _ask_about_left_behind(self) -> None:
        """Take over the labels that a renaming left beside the old name, only if the person agrees."""
        left = await self._controller.left_behind()
        if left is None:
            return
        from mia_tui.runs.list.orphaned_state import adopt, orphaned_state_message

        if await self._screen.confirm(
            "Use the labels and runs from before the folder was renamed?",
            f"{orphaned_state_message(self._controller.dataset, left)}\n\nIf you use them, {printable(left.name)} is "
            "renamed too. Otherwise you start without labels and runs, and with another split.",
            no="No, start again",
            yes="Yes, use them",
            letters=False,
        ):
            await asyncio.to_thread(adopt, self._controller.dataset, left)
            await self._controller.news()
            self._screen.show()
            self._screen.say(f"The labels and runs in {printable(left.name)} are used again.")
        if await self._folders() is not None:
            self._ask_later(self._ask_about_folders)

    async def _ask_about_folders(self) -> None:
        """Make folders that look like classes the classes, only if the person agrees."""
        folders = await self._folders()
        if folders is None:
            return
        named = name_some(f"{name} ({count:,})" for name, count in folders.items())
        if await self._screen.confirm(
            "Are these folders classes?",
            _ABOUT_FOLDERS.format(named),
            no="No, I label by hand",
            yes="Yes, use them",
            letters=False,
        ):
            report, undo = await take_folders(self._controller), self._screen.key("undo")
            self._screen.say(
                f"{counted(report.changed, 'image')} labelled by their folders; {undo} undoes it."
            )


async def take_folders(controller: LabelController) -> "ImportReport":
    """Make the dataset's folders its classes, and label the images in them.

    Raises:
        DataError: If the folders are not classes (any more).
        StoreError: If the labels cannot be written.
    """
    listing = controller.session.listing
    keys = await asyncio.to_thread(lambda: listing.keys_except(()))  # slow for a million
    report = await _label_by_folder(controller, keys)
    controller.source = "folders"
    return report


async def take_new_files(controller: LabelController) -> int:
    """If folders are the classes, label the files that labels.db does not know yet. Returns how many.

    A person's decision stays: an image whose label was removed is known, and not labelled again.
    """
    from mia_tui.dataset.interchange.folders import read_class_folders

    if (
        controller.source != "folders"
        or not controller.session.classes
        or await controller.class_folders() is None
    ):
        return 0  # without classes a training used the folders, and the person was not asked yet
    known = await controller.store_thread.read(lambda store: list(store.stored_files())) or []
    new = await asyncio.to_thread(controller.session.listing.keys_except, known)
    if read_class_folders(new, explicit=True) is None:  # all of them lie beside the class folders
        return 0
    return (await _label_by_folder(controller, new)).changed


async def _label_by_folder(controller: LabelController, keys: Sequence[ImageKey]) -> "ImportReport":
    from mia_tui.dataset.interchange.folders import folder_labels
    from mia_tui.dataset.interchange.importing import import_labels  # not needed for the first picture

    file = await asyncio.to_thread(lambda: folder_labels(keys, name=str(controller.dataset)))
    return await controller.write(
        lambda store: import_labels(store, file), counted(len(file.labels), "folder label")
    )


async def apply_file_changes(
    controller: LabelController, found: ListedImages, unlink: str
) -> tuple[list[str], int]:
    """Let labels follow files that were moved, and notice those that are gone or changed.

    Only files of doubtful size or time are read; nothing is written if nothing changed.

    Args:
        controller: The dataset.
        found: What is there now.
        unlink: The key that undoes that labels followed moved files, for the sentence about it.

    Returns:
        Sentences for the user; and how many images are in the files that were moved.

    Raises:
        StoreError: If there is something to write and that cannot be.
    """
    stored = await controller.store_thread.read(lambda store: store.stored_files())
    if not stored:
        return [], 0
    plan = await asyncio.to_thread(_plan, controller, found.listing, stored)
    if not has_work(plan):
        return _what_happened(AppliedFileChanges(tuple(plan.missing), (), (), ()), unlink), 0
    done = await controller.write(lambda store: store.apply_file_changes(plan), "changes of files")
    moved = [ImageKey(new, frame) for _, new in done.relinked for frame in (0, WHOLE_STACK)]
    rows = found.listing.rows(moved)  # a file has one of the two
    return _what_happened(done, unlink), sum(found.listing.images_of(row) for row in rows[rows >= 0].tolist())


async def renumber_frames(controller: LabelController, listing: Listing, *, can_write: bool) -> list[str]:
    """Give labels of stacks the numbers that frames have now, once the stacks can be read.

    Args:
        controller: The dataset.
        listing: What is there now.
        can_write: Whether labels can be saved; if not, those of stacks that were numbered otherwise are left out.

    Returns:
        Sentences for the user.

    Raises:
        StoreError: If there is something to write and that cannot be.
    """
    old = await controller.store_thread.read(lambda store: store.old_pages())
    if not old:
        return []
    here = [file.path for file in listing.files_at(list(old))]
    now = await asyncio.to_thread(find_frames, old, here, listing.stacks_among(here), controller.dataset)
    notes = [now.note] if now.note else []
    if not now.frames:
        return notes
    if not can_write:
        hidden = sum(page > 0 for path in now.stacks for page in old[path])
        if hidden:
            notes.append(
                f"Labels and marks of {counted(hidden, 'frame')} of stacks are not shown: frames are counted in "
                "another way now, and nothing can be saved here. A training and an export read them right."
            )
        return notes
    for part in now.in_parts():
        done = await controller.write(partial(LabelStore.apply_frames, now=part), "numbers of frames")
        notes = [*done.notes, *notes]
    return notes


def _plan(controller: LabelController, listing: Listing, stored: Mapping[str, StoredFile]) -> FileChanges:
    """For a thread. Of files that labels.db does not know, only those matter that may be missing ones."""
    here = {file.path: file for file in listing.files_at(list(stored))}
    sizes = {known.size for path, known in stored.items() if path not in here and known.size is not None}
    here |= {file.path: file for file in listing.files_of_sizes(sizes)}
    return find_file_changes(stored, list(here.values()), controller.dataset, hashing="doubtful")


def _difference(came: int, gone: int) -> str:
    """How many images are new and gone, in words."""
    words = counted(came, "new image") if came else "No new images"
    return f"{words}, {counted(gone, 'is gone', 'are gone')}." if gone else f"{words}."


def _what_happened(done: AppliedFileChanges, unlink: str) -> list[str]:
    """Sentences about files that were moved, changed or are missing."""
    words = []
    if done.relinked:
        moved = name_some(f"{old} to {new}" for old, new in done.relinked)
        words.append(
            f"{counted(len(done.relinked), 'file was', 'files were')} moved; the labels followed: {moved}. "
            f"To undo that: {unlink}."
        )
    if done.changed:
        changed = counted(
            len(done.changed), "image was changed since it was", "images were changed since they were"
        )
        words.append(f"{changed} labelled; flagged: {name_some(done.changed)}.")
    if done.missing:
        count = counted(len(done.missing), "labelled file")
        kept = "its label is" if len(done.missing) == 1 else "their labels are"
        words.append(f"{count} cannot be found; {kept} kept: {name_some(done.missing)}.")
    return words
