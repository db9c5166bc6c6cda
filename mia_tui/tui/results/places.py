"""Where in results images were opened, to return there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mia_tui.runs.evaluation.confusion import Which
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.results.page import PageCursor, ResultPageName


@dataclass(frozen=True)
class ResultsPlace:
    """A page of the results of a run.

    Attributes:
        page: Its name.
        which: The epoch; None for the best of a training.
        cursors: Those of all pages that were seen.
    """

    page: ResultPageName = "metrics"
    which: Which | None = None
    cursors: Mapping[ResultPageName, PageCursor] = field(default_factory=dict)


@dataclass(frozen=True)
class PairPlace:
    """The images on which two runs differ.

    Attributes:
        other: The second run.
        shown: Position of the choice of images that was shown.
        line: Of the cursor.
    """

    other: RunDir
    shown: int = 0
    line: int = 0
