"""What happens once all files of a dataset are known: labels follow them, models' suggestions appear."""

import asyncio
from pathlib import Path

import numpy as np

from mia_tui.dataset.listing.lister import Found
from mia_tui.dataset.store.reconcile import Reconciled, has_work, make_plan
from mia_tui.dataset.wording import counted, name_some
from mia_tui.runs.suggestions import Suggestions, newest_suggestions
from mia_tui.tui.services.desk import Desk


async def follow_files(desk: Desk, found: Found) -> list[str]:
    """Let labels follow files that were moved, and notice those that are gone or changed.

    Only files where something looks off are read; nothing is written where nothing happened.

    Returns:
        Sentences for the user.

    Raises:
        StoreError: If there is something to write and that cannot be.
    """
    stored = await desk.keeper.read(lambda store: store.stored_files())
    if not stored:
        return []
    plan = await asyncio.to_thread(make_plan, stored, found.files, desk.dataset, hashing="doubtful")
    if not has_work(plan):
        return _words(Reconciled(tuple(plan.missing), (), (), ()))
    return _words(await desk.write(lambda store: store.follow(plan), "what became of the files"))


async def take_suggestions(desk: Desk) -> str | None:
    """Show what the newest prediction says about the dataset's images; a sentence about it."""
    found = await asyncio.to_thread(_newest, desk, desk.dataset)
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


def _newest(desk: Desk, root: Path) -> Suggestions | None:
    return newest_suggestions(desk.state, root)


def _words(done: Reconciled) -> list[str]:
    words = []
    if done.relinked:
        moved = name_some(f"{old} to {new}" for old, new in done.relinked)
        words.append(
            f"{counted(len(done.relinked), 'file was', 'files were')} moved; labels went along: {moved}."
        )
    if done.changed:
        count = counted(len(done.changed), "labelled image")
        words.append(f"{count} changed since; they are flagged: {name_some(done.changed)}.")
    if done.missing:
        count = counted(len(done.missing), "labelled file")
        words.append(f"{count} cannot be found; their labels are kept: {name_some(done.missing)}.")
    return words
