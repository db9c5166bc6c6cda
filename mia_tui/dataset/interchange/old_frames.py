"""Files of labels whose frames are pages, as version 0.1.0 counted them: channels of a TIFF were images, too."""

from dataclasses import replace
from pathlib import Path

from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.dataset.scan.scan import Scan
from mia_tui.dataset.store.frame_numbers import find_frames_of
from mia_tui.text import counted, name_some


def of_present_frames(read: LabelFile, root: Path) -> LabelFile:
    """Labels of pages, for the frames that these are now. Reads the stacks among them.

    Args:
        read: What was read by the pages of each file, in their order.
        root: The dataset's folder.
    """
    now = find_frames_of(read.labels, root)
    labels: dict[ImageKey, str] = {}
    probabilities: dict[ImageKey, float] = {}
    different: dict[ImageKey, None] = {}
    lost = []
    for page, name in read.labels.items():
        key = now.get(page, page)
        if key.frame < WHOLE_STACK:
            lost.append(f"{page.path} (page {page.frame})")
        elif labels.setdefault(key, name) != name:
            different[key] = None
        elif page in read.probabilities:
            probabilities[key] = min(read.probabilities[page], probabilities.get(key, 1.0))
    notes = list(read.notes)
    if different:
        named = name_some(f"{key.path} frame {key.frame}" for key in different)
        notes.append(
            f"{counted(len(different), 'image has', 'images have')} channels with different classes; the first "
            f"counts: {named}."
        )
    return replace(
        read,
        labels=labels,
        probabilities=probabilities,
        unmatched=[*read.unmatched, *lost],
        notes=tuple(notes),
    )


def doubtful_frames(read: LabelFile, scan: Scan, root: Path) -> str | None:
    """A sentence if frames may be meant that are pages: single ones of stacks with channels; None otherwise.

    Args:
        read: What was read by the frames of today.
        scan: The dataset's images.
        root: Its folder.
    """
    names: dict[str, dict[int, str]] = {}
    for key, name in read.labels.items():
        if key.path in scan.stacks and key.frame != WHOLE_STACK:
            names.setdefault(key.path, {})[key.frame] = name
    single = {
        path: frames
        for path, frames in names.items()
        if len(frames) < scan.stacks[path] or len(set(frames.values())) > 1
    }
    # The last frame of today is a page in any case, so what it is now tells whether pages are other frames.
    last = [ImageKey(path, scan.stacks[path] - 1) for path in single]
    changed = [old.path for old, new in find_frames_of(last, root).items() if old != new]
    if not changed:
        return None
    return (
        f"Frames of {counted(len(changed), 'stack')} with channels were taken as they are counted now, without "
        f"channels: {name_some(changed)}. If mia-tui 0.1.0 or MIA wrote them, pass --pages."
    )
