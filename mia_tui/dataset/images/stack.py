"""A whole stack as one image: of each pixel the brightest value over all frames or their mean, or the middle frame.

The frames are read one after the other, so that only two of them are in memory at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.images.channels import Planes, show
from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Source
from mia_tui.errors import DecodeError

if TYPE_CHECKING:
    from mia_tui.config.train import StackPick


class StackSource(Source):
    """All frames of a file as a single one; see `Source`.

    Args:
        source: The open file; whoever opened it closes it.
        pick: What is taken of the frames.
        name: Of the file, for messages.

    Attributes:
        source: As given.
    """

    def __init__(self, source: Source, pick: "StackPick", name: str) -> None:
        self.format, self.file, self.source, self._pick, self._name = (
            source.format,
            source.file,
            source,
            pick,
            name,
        )
        self._first = source.place(source.frames // 2 if pick == "middle" else 0)
        scene = source.scenes[self._first.scene]
        # There is no brightest of the numbers of colours, and the frames of a GIF are grey or coloured as they come.
        self._is_shown = pick != "middle" and (scene.palette is not None or source.is_animation)
        if self._is_shown:
            scene = Scene(scene.size, np.dtype(np.uint8), (Channel(),) * 3, colour="rgb", levels=scene.levels)
        self.scenes: Sequence[Scene] = [replace(scene, axes={})]

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        def read(frame: Place) -> NDArray[np.generic]:
            if not self._is_shown:
                return self.source.plane(frame, channels=channels, level=level, region=region)
            values = self.source.plane(frame, level=level, region=region)
            shown = show(Planes(values, self.source.scenes[frame.scene]))
            coloured = np.broadcast_to(shown[:, :, None], (*shown.shape, 3)) if shown.ndim == 2 else shown
            return coloured if channels is None else coloured[:, :, list(channels)]

        if self._pick == "middle":
            return read(self._first)
        return self._mean(read) if self._pick == "mean" else self._brightest(read)

    def _brightest(self, read: Callable[[Place], NDArray[Any]]) -> NDArray[np.generic]:
        """As seen: the smallest value where 0 is white; an opaque pixel wins over a transparent one."""
        join = np.fmin if self.scenes[0].is_inverted else np.fmax
        found = np.array(read(self._first))
        for frame in self._others():
            join(found, read(frame), out=found)
        return found

    def _mean(self, read: Callable[[Place], NDArray[Any]]) -> NDArray[np.generic]:
        first = read(self._first)
        total = first.astype(np.float64)
        for frame in self._others():
            total += read(frame)
        total /= self.source.frames
        if first.dtype.kind == "f":
            return total.astype(first.dtype)
        return np.rint(total, out=total).astype(first.dtype)

    def _others(self) -> Iterator[Place]:
        """The places of the other frames, which must be of the same kind."""
        kind = self._kind(self._first)
        for number in range(1, self.source.frames):
            place = self.source.place(number)
            if place.scene != self._first.scene and self._kind(place) != kind:
                raise DecodeError(
                    f"Frame {number} of {self._name} differs from the first one in size or kind, so they are not one "
                    "image.",
                    "Label the frames of stacks, or leave this file out.",
                )
            yield place

    def _kind(self, place: Place) -> tuple[object, ...]:
        scene = self.source.scenes[place.scene]
        if scene.problem is not None:
            raise DecodeError(scene.problem)
        if self._is_shown:
            return (scene.size,)
        return scene.size, scene.dtype, len(scene.channels), scene.colour, scene.is_inverted

    def cost_bytes(self, place: Place, level: int, region: Region | None) -> int:
        cost = self.source.cost_bytes(self._first, level, region)
        if self._pick == "middle":
            return cost
        scene = self.scenes[0]
        width, height = (region.width, region.height) if region else scene.levels[level]
        each = 8 if self._pick == "mean" else scene.dtype.itemsize
        return cost + width * height * len(scene.channels) * each
