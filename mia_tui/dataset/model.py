"""What a dataset is made of: images (one per frame), classes, labels."""

from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


FRAME_NUMBERING = 2
"""The meaning of frame numbers, kept with labels and runs. 1: each page of a TIFF is a frame. 2: the planes along T,
Z and axes without a meaning, scene by scene, and pages without names; channels are part of one image."""

WHOLE_STACK = -1
"""The frame of an image that is all frames of a file."""

StackMode = Literal["frames", "whole"]
"""Whether each frame of a stack is an image to label, or the whole stack is one."""


@dataclass(frozen=True, order=True, slots=True)
class ImageKey:
    """Identifies one image of a dataset: a label belongs to this, never to a position in a list.

    `path` is relative to the dataset, with / between folders, as `os.fsdecode` gives it
    (bytes that are not UTF-8 are lone surrogates). `frame` counts from 0; files with one image have frame 0.
    `WHOLE_STACK` is all frames of a file together, labelled once; below it are pages by the numbers of an earlier
    version, whose frame now is not known yet (`store.frame_numbers`).
    """

    path: str
    frame: int = 0


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that the scan found. Size in bytes and time are None until they are read."""

    path: str
    size: int | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ImageClass:
    """One class of a dataset; `id` is stable, name and colour (#rrggbb) may change."""

    id: int
    name: str
    colour: str
    key: str | None
    position: int
    archived: bool = False
