"""A dataset's images come in: first those found so far, then all of them, and what that means for labels.

Once all files are known, labels follow those that moved, new files take the class of their folder, models'
suggestions appear, and the person is asked about folders that look like classes. Keys are answered meanwhile.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.lister import Found
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.reconcile import Plan, Reconciled, Stored, has_work, make_plan
from mia_tui.errors import DataError, MiaError, StoreError
from mia_tui.text import counted, name_some, printable
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.labelling import garbage
from mia_tui.tui.labelling.bookmark import Bookmark
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.folder_labels import take_folders, take_new_files

_ABOUT_FOLDERS = (
    "The folders look like classes: {}.\n\nTaken as classes, every image gets the label of its folder; you can "
    "correct them, and undo it all."
)


class DatasetSyncFace(Protocol):
    """What an arrival needs of a screen."""

    def show(self, *, anew: bool = False) -> None:
        """Paint what is different now; every row of the list if it is to be done anew."""

    def say(self, message: str) -> None:
        """A word in the status line, until the next command."""

    def tell(self, message: str, *, warning: bool = False) -> None:
        """A message that stays for some seconds."""

    def say_error(self, error: MiaError) -> None:
        """The same for what went wrong."""

    def key(self, command: str) -> str:
        """The key of a command, as people read it."""

    def do(self, command: Command) -> None:
        """Obey a command when those before it are done."""

    async def confirm(self, title: str, text: str, *, no: str, yes: str, letters: bool) -> bool:
        """Let the person decide; no if they think better of it."""


class DatasetSync:
    """The images of one dataset, from what is known of the last time to all that are there now.

    Args:
        desk: The dataset.
        bookmark: Where the person was the last time.
        face: The screen.

    Attributes:
        growing: Whether images are shown as they are found: nothing was known from the last time.
        scanned: Whether all files are known: no scan is at work.
        idle: Whether what comes of that is done, too.
        opened: Whether it was done once; later, suggestions come when a run ends, and files when they are looked for.
    """

    def __init__(self, desk: LabelController, bookmark: Bookmark, face: DatasetSyncFace) -> None:
        self._desk, self._session, self._bookmark, self._face = desk, desk.session, bookmark, face
        self.growing = not len(self._session.listing)
        self.scanned = False
        self.idle = False
        self.opened = False
        self._unwritable: str | None = None  # why nothing can be saved
        self._told: list[str] = []  # what the last scan noticed: said once

    def take_part(self, part: ListingArrays) -> None:
        """The scan found more images."""
        if self.growing:
            self._session.append(part)
            self._face.show()

    def look_again(self) -> bool:
        """Files are looked for anew from now on; False if they still are."""
        if not self.idle:
            return False
        self.scanned = self.idle = False
        self._face.show()
        return True

    async def take(self, outcome: Found | DataError) -> None:
        """The scan is over: what it found is the dataset now."""
        self.growing, self.scanned = False, True
        is_first, came = not self.opened, 0
        try:
            if isinstance(outcome, DataError):
                raise outcome
            came = await self._take_found(outcome)
        except MiaError as error:
            self._face.say_error(error)
        if is_first:
            garbage.begin()
        self.idle = self.opened = True
        if (is_first or came) and not self._unwritable:
            if await self._desk.left_behind() is not None:
                self._face.do(self._ask_about_left_behind)
            elif await self._folders() is not None:
                self._face.do(self._ask_about_folders)  # in its turn: never over a dialog that is typed into
        self._face.show()

    async def _take_found(self, found: Found) -> int:
        """Take over what is there now, and say what that means. Returns how many images came."""
        placed = await asyncio.to_thread(found.listing.rows_from, self._session.listing)
        gone = int(np.count_nonzero(placed < 0))
        came = len(found.listing) - len(placed) + gone
        await self._desk.replace_listing(found.listing, placed)
        self._bookmark.go_back()
        self._face.show()
        self._unwritable = await self._desk.why_unwritable()
        if self._unwritable and not self.opened:
            self._face.say_error(StoreError(self._unwritable))
        notes: list[str] = []
        moved = 0
        try:
            if not self._unwritable:
                notes, moved = await follow_files(self._desk, found, self._face.key("unlink"))
        except MiaError as error:  # labels that cannot be written can be looked at, and suggestions too
            self._face.say_error(error)
        if self.opened and (
            not moved or came > moved or gone > moved
        ):  # what was moved is neither new nor gone
            self._face.tell(_difference(max(came - moved, 0), max(gone - moved, 0)))
        for note in [*(note for note in found.notes if note not in self._told), *notes]:
            self._face.tell(note, warning=True)
        self._told = found.notes
        new = 0 if self._unwritable else await take_new_files(self._desk)
        if new:
            self._face.tell(f"{counted(new, 'new image')} took the class of their folder.")
        suggested = None if self.opened else await take_suggestions(self._desk)
        if suggested:
            self._face.show(anew=True)
            self._face.tell(suggested)
        return came

    async def _folders(self) -> dict[str, int] | None:
        """Folders that look like classes, where labels came from nowhere else; a training does not ask."""
        is_open = not self._session.classes and self._desk.source in (None, "folders")
        return await self._desk.class_folders() if is_open else None

    async def _ask_about_left_behind(self) -> None:
        """Labels that a renaming left beside the old name are taken over only if the person says so."""
        left = await self._desk.left_behind()
        if left is None:
            return
        from mia_tui.runs.list.orphaned_state import adopt, orphaned_state_message

        if await self._face.confirm(
            "Take over what was there before the renaming?",
            f"{orphaned_state_message(self._desk.dataset, left)}\n\nTaken over, {printable(left.name)} is renamed. "
            "Otherwise labels and runs begin anew, with another split.",
            no="No, begin anew",
            yes="Yes, take it over",
            letters=False,
        ):
            await asyncio.to_thread(adopt, self._desk.dataset, left)
            await self._desk.news()
            self._face.show(anew=True)
            self._face.say(f"{printable(left.name)} is taken over.")
        if await self._folders() is not None:
            self._face.do(self._ask_about_folders)

    async def _ask_about_folders(self) -> None:
        """Folders that look like classes are taken for them only if the person says so."""
        folders = await self._folders()
        if folders is None:
            return
        named = name_some(f"{name} ({count:,})" for name, count in folders.items())
        if await self._face.confirm(
            "Are these folders classes?",
            _ABOUT_FOLDERS.format(named),
            no="No, I label by hand",
            yes="Yes, take them",
            letters=False,
        ):
            report, undo = await take_folders(self._desk), self._face.key("undo")
            self._face.say(f"{counted(report.changed, 'image')} labelled by their folders; {undo} undoes it.")


async def follow_files(desk: LabelController, found: Found, unlink: str) -> tuple[list[str], int]:
    """Let labels follow files that were moved, and notice those that are gone or changed.

    Only files where something looks off are read; nothing is written where nothing happened.

    Args:
        desk: The dataset.
        found: What is there now.
        unlink: The key that undoes the linking of moved files, for the sentence about it.

    Returns:
        Sentences for the user; and how many images are in the files that were moved.

    Raises:
        StoreError: If there is something to write and that cannot be.
    """
    stored = await desk.keeper.read(lambda store: store.stored_files())
    if not stored:
        return [], 0
    plan = await asyncio.to_thread(_plan, desk, found.listing, stored)
    if not has_work(plan):
        return _words(Reconciled(tuple(plan.missing), (), (), ()), unlink), 0
    done = await desk.write(lambda store: store.follow(plan), "changes of files")
    rows = found.listing.rows([ImageKey(new) for _, new in done.relinked])
    return _words(done, unlink), sum(found.listing.frames_of(row) for row in rows[rows >= 0].tolist())


def _plan(desk: LabelController, listing: Listing, stored: Mapping[str, Stored]) -> Plan:
    """For a thread. Of files that labels.db does not know, only those are of interest that may be missing ones."""
    here = {file.path: file for file in listing.files_at(list(stored))}
    sizes = {known.size for path, known in stored.items() if path not in here and known.size is not None}
    here |= {file.path: file for file in listing.files_of_sizes(sizes)}
    return make_plan(stored, list(here.values()), desk.dataset, hashing="doubtful")


async def take_suggestions(desk: LabelController) -> str | None:
    """Show what the newest prediction says about the dataset's images; a sentence about it."""
    from mia_tui.runs.prediction.suggestions import newest_suggestions

    found = await asyncio.to_thread(newest_suggestions, desk.state, desk.dataset)
    if found is None:
        return None
    ids = {image_class.name: image_class.id for image_class in desk.session.classes}
    known = np.array([ids.get(name, 0) for name in found.classes], np.int32)
    class_ids = known[found.best] if len(found.best) else np.empty(0, np.int32)
    kept = np.flatnonzero(class_ids)
    keys = [found.keys[place] for place in kept.tolist()]
    desk.session.set_suggestions(keys, class_ids[kept], found.confidence[kept])
    unknown = [name for name in found.classes if name not in ids]
    left_out = f" Classes you do not have are left out: {name_some(unknown)}." if unknown else ""
    return f"{counted(len(keys), 'suggestion')} of the run {found.run}.{left_out}"


def _difference(came: int, gone: int) -> str:
    """What a scan found that was not known, in words."""
    words = counted(came, "new image") if came else "No new images"
    return f"{words}, {counted(gone, 'is gone', 'are gone')}." if gone else f"{words}."


def _words(done: Reconciled, unlink: str) -> list[str]:
    words = []
    if done.relinked:
        moved = name_some(f"{old} to {new}" for old, new in done.relinked)
        words.append(
            f"{counted(len(done.relinked), 'file was', 'files were')} moved; labels went along: {moved}. "
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
