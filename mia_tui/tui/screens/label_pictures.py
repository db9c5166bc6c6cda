"""The picture of the labelling screen: made in threads, shown when its turn comes, or a card that says why not."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.pixels.reading import MAX_MEGAPIXELS
from mia_tui.terminal.model import Terminal
from mia_tui.tui.services.head_start import HeadStart
from mia_tui.tui.services.link import Link
from mia_tui.tui.services.prefetch import Prefetch, Ready
from mia_tui.tui.services.presenter import Presenter, Scene
from mia_tui.tui.widgets.image_view import ImageView


class Pictures:
    """Brings one image after the other into a view.

    Args:
        dataset: Folder of the images.
        terminal: What it can do.
        link: The line to it.
        view: Where pictures are shown.
        made: Called in a thread for each picture that was made; call `ready` in the app's thread then.
        painted: Called when an image is shown, or why it cannot be.
        write: Sends bytes to the terminal without painting.
        unreadable: What can be done about an image that cannot be read, a sentence.
        head_start: What was read already.
    """

    def __init__(
        self,
        dataset: Path,
        terminal: Terminal,
        link: Link,
        view: ImageView,
        *,
        made: Callable[[], None],
        painted: Callable[[Ready], None],
        write: Callable[[str], None],
        unreadable: str,
        head_start: HeadStart | None = None,
    ) -> None:
        self._terminal, self._view, self._painted, self._unreadable = terminal, view, painted, unreadable
        self._changed: deque[ImageKey] = deque()  # images whose files are found to be others
        self._missed: dict[ImageKey, str] = {}  # images whose files are gone, and when that was noticed
        self._prefetch = Prefetch(
            dataset,
            terminal,
            threads=2 if (os.cpu_count() or 1) >= 4 else 1,
            on_ready=lambda ready: made(),
            max_megapixels=MAX_MEGAPIXELS,
            on_changed=lambda key: self._note_change(key, made),
            head_start=head_start,
        )
        self._presenter = Presenter(
            self._prefetch,
            link,
            terminal,
            paint=self._paint,
            more=view.more,
            card=lambda key: view.show_card(f"Loading {key.path}"),
            write=write,
            later=later,
        )
        self.terminal_forgot = self._presenter.terminal_forgot

    def _note_change(self, key: ImageKey, tell: Callable[[], None]) -> None:
        self._changed.append(key)
        tell()

    def ready(self) -> None:
        """Pictures were made, or are out of date: `made` was called."""
        while self._changed:
            self._presenter.renew(self._changed.popleft())
        self._presenter.ready()

    def show(self, scene: Scene) -> None:
        """Bring an image to the screen as soon as that can be."""
        self._presenter.show(scene)

    def show_card(self, *lines: str) -> None:
        """Say something instead of an image."""
        self._presenter.hide()
        self._view.show_card(*lines)

    def withdraw(self) -> None:
        """Another screen lies over the view."""
        self._presenter.hide()
        self._view.withdraw()

    def close(self) -> None:
        """Make no more pictures."""
        self._prefetch.close()

    def _paint(self, ready: Ready, part_bytes: int | None) -> None:
        view, key = ready.view, ready.wish.key
        if not ready.missing:
            self._missed.pop(key, None)
        if view is not None and self._terminal.graphics == "none":
            size = f"{view.image_width:,} x {view.image_height:,} pixels"
            self._view.show_card(key.path, size, "This terminal shows no images")
        elif ready.picture is not None:
            self._view.show(ready.picture, part_bytes=part_bytes)
        elif ready.missing:
            self._view.show_card(*self._gone(key))
        else:
            self._view.show_card(
                "This image cannot be shown",
                ready.problem or "",
                self._unreadable,
            )
        self._painted(ready)

    def _gone(self, key: ImageKey) -> tuple[str, ...]:
        noticed = self._missed.setdefault(key, time.strftime("%H:%M"))
        return (
            "This file is gone",
            f"{key.path}: not there any more at {noticed}",
            "A label it has is kept, and is there again when the file is",
        )


def later(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    """Call a function of the event loop's thread after so many seconds; returns what cancels that."""
    return asyncio.get_running_loop().call_later(seconds, action).cancel
