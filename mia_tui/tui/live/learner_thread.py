"""The thread that features and labels are learned in. The newest labels are learned, never a queue of them."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from mia_tui.errors import DataError, MiaError

if TYPE_CHECKING:
    from mia_tui.features.table import FeatureTable
    from mia_tui.tui.live.label_state import LabelState
    from mia_tui.tui.live.learner import Learning, LiveLearner

Value = TypeVar("Value")

NO_FEATURES = "The images have not been looked at yet."

_LOOK_EVERY_S = 1.0  # for features that were made since


class LearnerThread:
    """Opens the features of a dataset once there are some, and learns from its labels.

    Made, and asked, in the event loop's thread.

    Args:
        open_table: Opens the features; None while there are none.
        took: Called in the event loop with what was learned.
        failed: Called there, once, if the features cannot be read; nothing is learned any more.
    """

    def __init__(
        self,
        open_table: "Callable[[], FeatureTable | None]",
        *,
        took: "Callable[[Learning], None]",
        failed: Callable[[MiaError], None],
    ) -> None:
        self._open_table, self._took, self._failed = open_table, took, failed
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._state: LabelState | None = None  # the newest
        self._is_new = False  # whether it is still to be learned
        self._jobs: deque[tuple[Callable[[LiveLearner], Any], asyncio.Future[Any]]] = deque()
        self._has_ended = False
        threading.Thread(target=self._work, name="live suggestions", daemon=True).start()

    def learn(self, state: "LabelState") -> None:
        """Learn from these labels, in place of any that are still to be learned."""
        with self._changed:
            self._state, self._is_new = state, True
            self._changed.notify()

    async def ask(self, job: "Callable[[LiveLearner], Value]") -> Value:
        """Do something with what was learned, in the thread, after what is to be learned now.

        Raises:
            DataError: If there are no features, or they cannot be read.
        """
        future: asyncio.Future[Value] = self._loop.create_future()
        with self._changed:
            if self._has_ended:
                raise DataError(NO_FEATURES)
            self._jobs.append((job, future))
            self._changed.notify()
        return await future

    def end(self) -> None:
        """End soon; nothing is reported any more."""
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def _work(self) -> None:
        learner: LiveLearner | None = None
        try:
            while not self._has_ended:
                learner = learner or self._open()
                if learner is not None and not self._learn(learner) and learner.table.is_replaced:
                    learner = None  # a job wrote the features anew
                self._do_jobs(learner)
                self._wait(learner)
        except MiaError as error:
            self._report(self._failed, error)
        except MemoryError:
            self._report(self._failed, DataError("There is too little memory to learn suggestions."))
        finally:
            with self._changed:
                self._has_ended = True
            self._do_jobs(None)

    def _wait(self, learner: "LiveLearner | None") -> None:
        """Until there is something to do."""
        with self._changed:
            is_due = self._has_ended or bool(self._jobs)
            if learner is not None:
                is_due |= self._is_new or learner.is_behind
            if not is_due:
                self._changed.wait(_LOOK_EVERY_S)

    def _open(self) -> "LiveLearner | None":
        from mia_tui.tui.live.learner import LiveLearner  # not needed before there are features

        table = self._open_table()
        return None if table is None else LiveLearner(table)

    def _learn(self, learner: "LiveLearner") -> bool:
        """Learn if there is something new; returns whether there was."""
        has_grown = learner.grow()
        with self._changed:
            state, is_new, self._is_new = self._state, self._is_new, False
        if state is not None and (is_new or has_grown) and len(learner.suggester):
            self._report(self._took, learner.learn(state))
        return is_new or has_grown

    def _do_jobs(self, learner: "LiveLearner | None") -> None:
        while self._jobs:
            job, future = self._jobs.popleft()
            value, error = None, None
            try:
                if learner is None or not len(learner.suggester):
                    raise DataError(NO_FEATURES)
                value = job(learner)
            except Exception as raised:  # noqa: BLE001  # raised again where it was asked for
                error = raised
            self._report(_answer, future, value, error)

    def _report(self, to: Callable[..., None], *what: object) -> None:
        with suppress(RuntimeError):  # the app has ended
            self._loop.call_soon_threadsafe(to, *what)


def _answer(future: asyncio.Future[Any], value: object, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
