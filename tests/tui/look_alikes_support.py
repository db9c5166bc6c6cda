"""What is learned from labels, for tests of pages of look-alikes: images lie in clusters, by their number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from textual.pilot import Pilot
from tui_support import label, make_images

from mia_tui.active.suggester import Learned, Rows, Suggester
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.session.session import LabelSession
from mia_tui.features.layout import FeatureNetwork
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.look_alikes.pages import Pages

Value = TypeVar("Value")

CLASSES = ["round", "long", "odd"]
_DIMS = 24


def name_of(number: int) -> str:
    return f"image-{number:03}.png"


def clustered(folder: Path, count: int = 60, *, classes: list[str] = CLASSES, labelled: int = 2) -> Path:
    """Images of which each third one is alike; so many of each class have a label."""
    make_images(folder, count, classes=classes)
    for place, name in enumerate(CLASSES):
        paths = [name_of(place + 3 * number) for number in range(labelled)]
        if paths:
            label(folder, name, paths)
    return folder


def clusters(count: int) -> NDArray[np.float16]:
    """Features of so many images: each third one is alike."""
    random = np.random.default_rng(3)
    middles = np.repeat(np.eye(3), _DIMS // 3, axis=1) * 4
    features: NDArray[np.float16] = (
        middles[np.arange(count) % 3] + random.normal(0, 0.2, (count, _DIMS))
    ).astype(np.float16)
    return features


class ClusteredTable:
    """Such features as a `FeatureTable` of the images in the order of their numbers; all of them are made.

    Args:
        count: How many images.
    """

    is_replaced = False

    def __init__(self, count: int) -> None:
        self.network = FeatureNetwork("test", "test", _DIMS)
        self._rows = clusters(count)
        self._is_new = True

    def refresh(self) -> bool:
        is_new, self._is_new = self._is_new, False
        return is_new

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def digests(self) -> NDArray[np.void]:
        return np.zeros(len(self), "V20")

    def rows(self, start: int, stop: int) -> NDArray[np.float16]:
        return self._rows[start:stop]

    def places(self, listing: Listing) -> Rows:
        return np.arange(len(listing), dtype=np.int32)


class ClusteredHead:
    """A `LearnedHead` that learns whenever it is asked to catch up.

    Args:
        session: The images, in the order of their numbers.

    Attributes:
        missing: What `catch_up` says.
    """

    def __init__(self, session: LabelSession) -> None:
        self._session = session
        self.missing = ""
        self.learned: Learned | None = None
        count = len(session.listing)
        self.suggester = Suggester(_DIMS)
        self.suggester.add(clusters(count))
        self.places: Rows = np.arange(count, dtype=np.int32)

    async def ask(self, work: Callable[[Suggester], Value]) -> Value:
        return work(self.suggester)

    async def catch_up(self) -> str:
        if self.missing:
            return self.missing
        states = [self._session.state_of(row) for row in range(len(self._session.listing))]
        rows = [row for row, state in enumerate(states) if state.image_class is not None]
        ids = [state.image_class.id for state in states if state.image_class is not None]
        self.learned = None
        if len(set(ids)) > 1:
            self.learned = self.suggester.learn(np.array(rows, np.int32), np.array(ids, np.int32))
        return ""


def give_head(pilot: Pilot[Any]) -> ClusteredHead:
    """Let the dataset that is open have pages from such a head."""
    screen: Any = pilot.app.screen
    controller: LabelController = screen.controller
    head = ClusteredHead(controller.session)
    controller.look_alikes = Pages(controller, head)
    return head
