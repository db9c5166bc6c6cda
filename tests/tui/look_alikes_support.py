"""What is learned from labels, for tests of pages of look-alikes: images lie in clusters, by their number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from textual.pilot import Pilot
from tui_support import label, make_images

from mia_tui.active.suggester import Learned, Rows, Suggester
from mia_tui.dataset.session.session import LabelSession
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
        random = np.random.default_rng(3)
        middles = np.repeat(np.eye(3), _DIMS // 3, axis=1) * 4
        features = middles[np.arange(count) % 3] + random.normal(0, 0.2, (count, _DIMS))
        self.suggester = Suggester(_DIMS)
        self.suggester.add(features.astype(np.float16))
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
