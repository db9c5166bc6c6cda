"""How images are shown: zoom, position, brightness, contrast. Never changes a file."""

from dataclasses import replace
from typing import TypeVar

from mia_tui.dataset.images.channels import RGB_NAMES, ChannelChoice
from mia_tui.dataset.images.rendering import DisplaySettings, RenderedImage
from mia_tui.dataset.images.screen.windows import FixedWindow, Window
from mia_tui.dataset.model import ImageKey
from mia_tui.tui.label.picture.window_words import channel_words, window_words

Option = TypeVar("Option")

_ZOOM = 1.5
_STEP = 10  # of brightness and contrast, in percent of the whole range
_PAN = 0.25  # of what is seen
_PLACE_STEPS = 3  # of zoom, at least, that show a place
WINDOWS: tuple[Window, ...] = (None, (0.5, 99.5), (2.0, 98.0), (5.0, 95.0))


class ViewSettings:
    """How the current image is shown, and whether the next one is shown in the same way.

    Args:
        keep: Whether settings are kept from image to image.
        centre_mark: Whether the middle of images is marked.

    Attributes:
        view: What is seen now, to stop at the edges; None while that is not known.
        frame: The frame that is shown of a stack that is one image; None shows all of them together.
    """

    def __init__(self, *, keep: bool, centre_mark: bool = False) -> None:
        self.display = DisplaySettings(centre_mark=centre_mark)
        self.keep = keep
        self.view: RenderedImage | None = None
        self.frame: int | None = None
        self._image: ImageKey | None = None
        self._names: dict[int, str] = dict(enumerate(RGB_NAMES))  # of the channels of the last image seen

    def show_image(self, key: ImageKey) -> None:
        """This is the current image now; a new one gets its own settings, unless they are kept.

        A fixed window, the choice of channels and the centre mark stay: they are for comparing images.
        """
        if key == self._image:
            return
        self._names = self.channels
        self._image, self.view, self.frame = key, None, None
        if not self.keep:
            window = self.display.window if isinstance(self.display.window, FixedWindow) else None
            display = self.display
            self.display = DisplaySettings(
                window=window, channels=display.channels, centre_mark=display.centre_mark
            )

    @property
    def channels(self) -> dict[int, str]:
        """Names of the channels that can be seen alone, by number; of the last image until this one is seen."""
        return self._names if self.view is None else self.view.channels

    def page(self, by: int, frames: int) -> None:
        """Show another frame of a stack that is one image; before the first and after the last, all together."""
        shown = (-1 if by > 0 else frames) if self.frame is None else self.frame
        self.frame = shown + by if 0 <= shown + by < frames else None

    def zoom(self, steps: int) -> None:
        """Zoom in by so many steps; below zero, zoom out."""
        self.display = self.display.zoomed(_ZOOM**steps, self.view)

    def zoom_at(self, steps: int, point: tuple[float, float], box_px: tuple[int, int]) -> None:
        """Zoom in or out with the wheel: what lies below the mouse stays there."""
        if self.view is None:
            self.zoom(steps)
        else:
            self.display = self.display.zoomed_at(_ZOOM**steps, self.view, point, box_px)

    def show_pixels_at(self, point: tuple[float, float], box_px: tuple[int, int]) -> None:
        """Show a place at full size, or as many times enlarged as the first step; again: the whole image."""
        if self.view is None or self.display.zoom > 1:
            self.display = replace(self.display, zoom=1.0, centre=(0.5, 0.5))
            return
        factor = max(_ZOOM**_PLACE_STEPS, 1 / self.view.scale_in(box_px))
        self.display = self.display.zoomed_at(factor, self.view, point, box_px)

    def drag(self, right: float, down: float) -> None:
        """Move an enlarged image with the mouse, by fractions of what is seen."""
        self.display = self.display.panned(right, down, self.view)

    def mark_centre(self) -> bool:
        """Mark the middle of images, or no longer; returns whether it is marked."""
        self.display = replace(self.display, centre_mark=not self.display.centre_mark)
        return self.display.centre_mark

    def pan(self, right: int, down: int) -> None:
        """Move an enlarged image by quarters of what is seen."""
        self.display = self.display.panned(_PAN * right, _PAN * down, self.view)

    def brighten(self, steps: int) -> None:
        self.display = replace(self.display, brightness=_limited(self.display.brightness + _STEP * steps))

    def contrast(self, steps: int) -> None:
        self.display = replace(self.display, contrast=_limited(self.display.contrast + _STEP * steps))

    def next_window(self) -> None:
        """The next percentile window; after the last one, the whole range, and then what is usual."""
        is_deep = self.view is not None and self.view.is_deep
        windows = (*WINDOWS, "type") if is_deep else WINDOWS  # for 8 bits the whole range is what is usual
        self.display = replace(self.display, window=_after(windows, self.display.window))

    def fix_window(self, window: FixedWindow | None) -> None:
        """Show this and other images between these values; None: each between its own."""
        self.display = replace(self.display, window=window)

    def invert(self) -> None:
        self.display = replace(self.display, invert=not self.display.invert)

    def next_channel(self) -> bool:
        """The next channel alone; after the last, all of them. False if there is only one."""
        names = self.channels
        order = (None, *names)
        self.choose_channels(ChannelChoice(alone=_after(order, self.display.channels.alone)))
        return bool(names)

    def choose_channels(self, choice: ChannelChoice) -> None:
        self.display = replace(self.display, channels=choice)

    def reset(self) -> None:
        self.display, self.frame = DisplaySettings(centre_mark=self.display.centre_mark), None

    def words(self) -> list[str]:
        """What differs from the default, for the line about the image; what may be left out comes first."""
        display, view = self.display, self.view
        words = [] if view is None else channel_words(view, display.channels)
        if display.brightness:
            words.append(f"brightness {display.brightness:+d}")
        if display.contrast:
            words.append(f"contrast {display.contrast:+d}")
        words += window_words(view, display.window, display.channels)
        if display.invert:
            words.append("inverted")
        if self.keep:
            words.append("view kept")
        if self.frame is not None:
            words.append(f"frame {self.frame + 1}")
        return words


def _limited(percent: int) -> int:
    return max(-100, min(100, percent))


def _after(options: tuple[Option, ...], present: Option) -> Option:
    return options[(options.index(present) + 1) % len(options)] if present in options else options[0]
