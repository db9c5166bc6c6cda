"""Which network's features are learned from: those of the network that comes with the program, or of a run's.

A run's network has learned the labels of its training part by heart, so the two are compared on its validation part.
The better one is used, unless the person chose. What is said of labels that look wrong is told by the network that
comes with the program, which was trained on none of them. Everything here runs in the thread of `learner_thread`.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.comparison import LEAST_COMPARED, compared_rows, share_right
from mia_tui.active.groups import content_numbers, group_numbers, join_copies
from mia_tui.dataset.listing.listing import Listing
from mia_tui.features.layout import TRAINED_ON, TableFolder, tables_of
from mia_tui.features.table import FeatureTable
from mia_tui.runs.list.find import oldest_first
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.live.label_state import LabelState
from mia_tui.tui.live.learner import LiveLearner
from mia_tui.tui.live.network_in_use import NetworkComparison, NetworkInUse

Rows = NDArray[np.int32]

_LEAST_COVERED = 0.95  # of the images that have features by the other network
_COMPARED_AGAIN = 1.25  # so many times the labels


class RunTables:
    """The features of a dataset by networks of its runs.

    Args:
        dataset: The folder of images.
    """

    def __init__(self, dataset: Path) -> None:
        self._dataset = dataset
        self._opened: dict[TableFolder, FeatureTable | None] = {}

    def newest_first(self) -> list[FeatureTable]:
        """Those whose run is there, by the time of the run. Each is opened once, until it is written anew."""
        before, self._opened = self._opened, {}
        for folder in tables_of(self._dataset):
            table = before.get(folder)
            if table is None or table.is_replaced:
                table = FeatureTable.open(self._dataset, folder.path.name)
            self._opened[folder] = table
        made = [table for table in self._opened.values() if table is not None and table.network.run]
        by_run = {Path(table.network.run): table for table in made}
        runs = oldest_first([run for run in map(RunDir, by_run) if os.path.isfile(run.best_weights)])  # noqa: PTH113
        return [by_run[run.path] for run in reversed(runs)]


class LearningNetworks:
    """The learners of a dataset by network.

    Args:
        table: The features by the network that comes with the program.
        run_tables: Those by networks of runs, the newest run first.
        chosen: Id of the network that the person chose, `DEFAULT_NETWORK` for the one that comes with the program;
            empty to use the better one.

    Attributes:
        in_use: Suggestions come from it.
        chosen: As above; may be changed.
    """

    def __init__(
        self, table: FeatureTable, run_tables: Callable[[], list[FeatureTable]], chosen: str = ""
    ) -> None:
        self.chosen = chosen
        self.in_use = LiveLearner(table)
        self._shipped_table, self._run_tables = table, run_tables
        self._shipped: LiveLearner | None = self.in_use
        self._compared_for: tuple[object, ...] = ()
        self._comparison: NetworkComparison | None = None

    def untrained(self, state: LabelState | None) -> LiveLearner:
        """What is told from the network that comes with the program: it was trained on no label."""
        if self._shipped is None:
            self._shipped = LiveLearner(self._shipped_table)
        if self._shipped is not self.in_use:
            while self._shipped.grow():
                pass
            if state is not None:
                self._shipped.find_images(state)
        return self._shipped

    @property
    def are_replaced(self) -> bool:
        """Whether the features of the network that comes with the program were removed, or written anew."""
        return self._shipped_table.is_replaced

    def choose(self, state: LabelState) -> bool:
        """Use the better network, or the one that the person chose; returns whether it or its reason is another."""
        self._shipped_table.refresh()
        tables = self._run_tables()
        wanted = next((table for table in tables if table.network.id == self.chosen), None)
        table = wanted or next(iter(tables), None)
        if table is None:
            return self._use(None, None)
        table.refresh()
        labels = int(state.labelled.sum())
        step = int(math.log(max(labels, 1), _COMPARED_AGAIN))
        due = table, len(table), len(self._shipped_table), state.listing, state.group_by, step
        if due != self._compared_for:
            self._compared_for, self._comparison = due, self._compare(table, state)
        comparison = self._comparison
        assert comparison is not None
        has_all = comparison.why_not != _NOT_YET
        takes_run = has_all and (comparison.is_better if wanted is None else True)
        if self.chosen == self._shipped_table.network.id:
            takes_run = False
        return self._use(table if takes_run else None, comparison)

    def _use(self, table: FeatureTable | None, comparison: NetworkComparison | None) -> bool:
        shipped_id = self._shipped_table.network.id
        if table is None:
            now = NetworkInUse(comparison=comparison, is_chosen=self.chosen == shipped_id)
            wanted = self._shipped_table
        else:
            network = table.network
            weights = str(RunDir(Path(network.run)).best_weights)
            now = NetworkInUse(network.id, network.name, weights, comparison, self.chosen == network.id)
            wanted = table
        if self.in_use.table is not wanted:
            learner = self.untrained(None) if table is None else LiveLearner(table)
            while learner.grow():
                pass
            self.in_use = learner
            self._shipped = learner if table is None else None
        elif self.in_use.network == now:
            return False
        self.in_use.network = now
        return True

    def _compare(self, table: FeatureTable, state: LabelState) -> NetworkComparison:
        """Which of the two suggests better classes for images that none of them was trained on."""
        run, network_id, shipped = table.network.name, table.network.id, self._shipped_table
        if len(table) < _LEAST_COVERED * len(shipped):  # which takes no time to find out
            return NetworkComparison(run, network_id, why_not=_NOT_YET)
        images = Listing(state.arrays)
        places, others = table.places(images), shipped.places(images)
        covered = int(((places >= 0) & (others >= 0)).sum())
        if not covered or covered < _LEAST_COVERED * int((others >= 0).sum()):
            return NetworkComparison(run, network_id, why_not=_NOT_YET)
        labelled = np.flatnonzero(state.labelled[: len(places)] & (places >= 0) & (others >= 0)).astype(
            np.int32
        )
        parts, by_heart = table.parts[places[labelled]], table.by_heart[places[labelled]]
        asked = (parts == TRAINED_ON.index("val")) & ~by_heart
        count, class_ids = int(asked.sum()), state.class_ids[labelled]
        if count < LEAST_COMPARED:
            return NetworkComparison(
                run, network_id, count, why_not=f"it has {count:,} validation images with a label here"
            )
        if len(np.unique(class_ids)) < 2:
            return NetworkComparison(run, network_id, count, why_not="labels of two classes are needed")
        rows = compared_rows(class_ids, asked)
        groups = group_numbers(images, state.group_by)[labelled[rows]]
        groups = join_copies(groups, content_numbers(shipped.digests[others[labelled[rows]]]))
        right, shipped_right = (
            share_right(_features(one, at[labelled[rows]]), class_ids[rows], groups, asked[rows])
            for one, at in ((table, places), (shipped, others))
        )
        return NetworkComparison(run, network_id, count, right, shipped_right)


_NOT_YET = "its network has not looked at all images yet"


def _features(table: FeatureTable, places: Rows) -> NDArray[np.float16]:
    """Some rows of a table, in memory."""
    return np.asarray(table.rows(0, len(table))[places])
