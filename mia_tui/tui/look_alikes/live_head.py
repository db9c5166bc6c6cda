"""What is learned while labelling, as pages of look-alikes use it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mia_tui.active.suggester import Learned, Rows, Suggester
from mia_tui.errors import DataError

if TYPE_CHECKING:
    from mia_tui.tui.controller.label_controller import LabelController
    from mia_tui.tui.live.learner import LiveLearner

Value = TypeVar("Value")


class LiveHead:
    """The live suggestions of an open dataset; a `LearnedHead`.

    Args:
        controller: The dataset.
    """

    def __init__(self, controller: "LabelController") -> None:
        self._live = controller.live

    @property
    def learned(self) -> Learned | None:
        return None if self._live.learning is None else self._live.learning.learned

    @property
    def places(self) -> Rows:
        return np.empty(0, np.int32) if self._live.learning is None else self._live.learning.places

    async def ask(self, work: Callable[[Suggester], Value]) -> Value:
        network = self._live.network.network_id

        def ask(learner: "LiveLearner") -> Value:
            if learner.network.network_id != network:  # rows are others then
                raise DataError("Suggestions come from another network now; try again.")
            return work(learner.suggester)

        value: Value = await self._live.ask(ask)
        return value

    async def catch_up(self) -> str:
        try:
            await self._live.ask(lambda _: None)
        except DataError as error:
            if self._live.failure:
                return str(error)
            self._live.needs_features()
            return f"{error} A network does that now; try again in a moment."
        return ""
