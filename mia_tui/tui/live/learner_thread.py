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
    from mia_tui.tui.live.networks import LearningNetworks

Value = TypeVar("Value")

NO_FEATURES = "The images have not been looked at yet."

_LOOK_EVERY_S = 1.0  # for features that were made since


class LearnerThread:
    """Opens the features of a dataset once there are some, and learns from its labels.

    Made, and asked, in the event loop's thread.

    Args:
        open_table: Opens the features by the network that comes with the program; None while there are none.
        run_tables: What finds those by networks of runs, the newest run first; called once there are features.
        chosen: Id of the network that the person chose, as for `LearningNetworks`.
        took: Called in the event loop with what was learned.
        gone: Called there if the features were removed, as to make room for others; once until there are some again.
        failed: Called there, once, if the features cannot be read; nothing is learned any more.
    """

    def __init__(
        self,
        open_table: "Callable[[], FeatureTable | None]",
        *,
        run_tables: "Callable[[], Callable[[], list[FeatureTable]]]",
        chosen: str,
        took: "Callable[[Learning], None]",
        gone: Callable[[], None],
        failed: Callable[[MiaError], None],
    ) -> None:
        self._open_table, self._took, self._gone, self._failed = open_table, took, gone, failed
        self._run_tables, self._chosen = run_tables, chosen
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()
        self._state: LabelState | None = None  # the newest
        self._is_new = False  # whether it is still to be learned
        self._jobs: deque[tuple[Callable[[LiveLearner], Any], bool, asyncio.Future[Any]]] = deque()
        self._has_ended = False
        threading.Thread(target=self._work, name="live suggestions", daemon=True).start()

    def learn(self, state: "LabelState") -> None:
        """Learn from these labels, in place of any that are still to be learned."""
        with self._changed:
            self._state, self._is_new = state, True
            self._changed.notify()

    def choose(self, network_id: str) -> None:
        """Use this network from now on; the better one if it is empty."""
        with self._changed:
            self._chosen = network_id
            self._changed.notify()

    async def ask(self, job: "Callable[[LiveLearner], Value]", *, untrained: bool = False) -> Value:
        """Do something with what was learned, in the thread, after what is to be learned now.

        Args:
            job: What to do.
            untrained: Whether it is about labels, so that no network may tell it that was trained on some of them.

        Raises:
            DataError: If there are no features, or they cannot be read.
        """
        future: asyncio.Future[Value] = self._loop.create_future()
        with self._changed:
            if self._has_ended:
                raise DataError(NO_FEATURES)
            self._jobs.append((job, untrained, future))
            self._changed.notify()
        return await future

    def end(self) -> None:
        """End soon; nothing is reported any more."""
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def _work(self) -> None:
        networks: LearningNetworks | None = None
        had_some = False
        try:
            while not self._has_ended:
                networks = networks or self._open()
                if had_some and networks is None:
                    self._report(self._gone)
                had_some = networks is not None
                if networks is not None and not self._learn(networks) and networks.are_replaced:
                    networks = None  # a job wrote the features anew, or they were removed
                self._do_jobs(networks)
                self._wait(networks)
        except MiaError as error:
            self._report(self._failed, error)
        except MemoryError:
            self._report(self._failed, DataError("There is too little memory to learn suggestions."))
        finally:
            with self._changed:
                self._has_ended = True
            self._do_jobs(None)

    def _wait(self, networks: "LearningNetworks | None") -> None:
        """Until there is something to do."""
        with self._changed:
            is_due = self._has_ended or bool(self._jobs)
            if networks is not None:
                is_due |= self._is_new or networks.in_use.is_behind or self._chosen != networks.chosen
            if not is_due:
                self._changed.wait(_LOOK_EVERY_S)

    def _open(self) -> "LearningNetworks | None":
        table = self._open_table()
        if table is None:
            return None
        from mia_tui.tui.live.networks import LearningNetworks  # not needed before there are features

        return LearningNetworks(table, self._run_tables(), self._chosen)

    def _learn(self, networks: "LearningNetworks") -> bool:
        """Learn if there is something new; returns whether there was.

        Networks are compared where there is nothing to learn, so that no label waits for that.
        """
        has_grown = networks.in_use.grow()
        with self._changed:
            state, is_new, self._is_new = self._state, self._is_new, False
            is_other, networks.chosen = self._chosen != networks.chosen, self._chosen
        is_new |= has_grown
        if state is not None and (is_other or not is_new):
            is_new |= networks.choose(state)
        if state is not None and is_new and len(networks.in_use.suggester):
            self._report(self._took, networks.in_use.learn(state))
        return is_new

    def _do_jobs(self, networks: "LearningNetworks | None") -> None:
        while self._jobs:
            job, is_about_labels, future = self._jobs.popleft()
            value, error = None, None
            try:
                if networks is None or not len(networks.in_use.suggester):
                    raise DataError(NO_FEATURES)
                value = job(networks.untrained(self._state) if is_about_labels else networks.in_use)
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
