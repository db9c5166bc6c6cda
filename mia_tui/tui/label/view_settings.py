"""How images are shown: zoom, position, brightness, contrast. Never changes a file."""

from dataclasses import replace
from typing import TypeVar

from mia_tui.dataset.images.rendering import DisplaySettings, RenderedImage
from mia_tui.dataset.model import ImageKey

Option = TypeVar("Option")

_ZOOM = 1.5
_STEP = 10  # of brightness and contrast, in percent of the whole range
_PAN = 0.25  # of what is seen
WINDOWS: tuple[tuple[float, float] | None, ...] = (None, (0.5, 99.5), (2.0, 98.0), (5.0, 95.0))
CHANNELS = ("all", "red", "green", "blue")


class ViewSettings:
    """How the current image is shown, and whether the next one is shown in the same way.

    Args:
        keep: Whether settings are kept from image to image.

    Attributes:
        view: What is seen now, to stop at the edges; None while that is not known.
        frame: The frame that is shown of a stack that is one image; None shows all of them together.
    """

    def __init__(self, *, keep: bool) -> None:
        self.display = DisplaySettings()
        self.keep = keep
        self.view: RenderedImage | None = None
        self.frame: int | None = None
        self._image: ImageKey | None = None

    def show_image(self, key: ImageKey) -> None:
        """This is the current image now; a new one gets its own settings, unless they are kept."""
        if key == self._image:
            return
        self._image, self.view, self.frame = key, None, None
        if not self.keep:
            self.display = DisplaySettings()

    def page(self, by: int, frames: int) -> None:
        """Show another frame of a stack that is one image; before the first and after the last, all together."""
        frame = (
            by - 1
            if self.frame is None and by > 0
            else frames + by
            if self.frame is None
            else self.frame + by
        )
        self.frame = frame if 0 <= frame < frames else None

    def zoom(self, steps: int) -> None:
        """Zoom in by so many steps; below zero, zoom out."""
        self.display = self.display.zoomed(_ZOOM**steps, self.view)

    def pan(self, right: int, down: int) -> None:
        """Move an enlarged image by quarters of what is seen."""
        self.display = self.display.panned(_PAN * right, _PAN * down, self.view)

    def brighten(self, steps: int) -> None:
        self.display = replace(self.display, brightness=_limited(self.display.brightness + _STEP * steps))

    def contrast(self, steps: int) -> None:
        self.display = replace(self.display, contrast=_limited(self.display.contrast + _STEP * steps))

    def next_window(self) -> None:
        """The next percentile window; after the last one, the whole range."""
        self.display = replace(self.display, window=_after(WINDOWS, self.display.window))

    def invert(self) -> None:
        self.display = replace(self.display, invert=not self.display.invert)

    def next_channel(self) -> None:
        """Red, green or blue alone; after blue, all of them."""
        self.display = replace(self.display, channel=_after(CHANNELS, self.display.channel))  # type: ignore[arg-type]  # one of them

    def reset(self) -> None:
        self.display, self.frame = DisplaySettings(), None

    def words(self) -> list[str]:
        """What differs from the default, for the line about the image."""
        display = self.display
        words = [] if self.frame is None else [f"frame {self.frame + 1}"]
        if display.brightness:
            words.append(f"brightness {display.brightness:+d}")
        if display.contrast:
            words.append(f"contrast {display.contrast:+d}")
        if display.window is not None:
            words.append(f"tones {display.window[0]:g}–{display.window[1]:g} %")
        if display.invert:
            words.append("inverted")
        if display.channel != "all":
            words.append(f"{display.channel} only")
        if self.keep:
            words.append("view kept")
        return words


def _limited(percent: int) -> int:
    return max(-100, min(100, percent))


def _after(options: tuple[Option, ...], present: Option) -> Option:
    return options[(options.index(present) + 1) % len(options)] if present in options else options[0]
