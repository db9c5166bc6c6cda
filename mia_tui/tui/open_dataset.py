"""The dataset that is open, and images of it that a screen wants to be shown."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.listing.image_list import ImageList
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession

if TYPE_CHECKING:
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.tui.counts.reading import CountChoices
    from mia_tui.tui.counts.words import Figure
    from mia_tui.tui.results.places import PairPlace, ResultsPlace
    from mia_tui.tui.runs.pages import PagePlace


@dataclass(frozen=True)
class OpenDataset:
    """A dataset that a person has opened.

    Attributes:
        dataset: Folder of images.
        state: What was named with --state.
        annotator: Who trains and labels.
        session: Its images and labels; None where only its runs are of interest.
    """

    dataset: Path
    state: Path | None
    annotator: str
    session: LabelSession | None = field(default=None, compare=False)


@dataclass(frozen=True)
class RunPlace:
    """Where images were opened, to return there.

    Attributes:
        run: On whose screen.
        page: Its page, and the cursor there; None for its first.
        from_table: Whether that screen was opened from the table of runs.
        results: Where in its results, or in a comparison with another run, which lie above that screen.
    """

    run: "RunDir"
    page: "PagePlace | None"
    from_table: bool = False
    results: "ResultsPlace | PairPlace | None" = None


@dataclass(frozen=True)
class CountsPlace:
    """Where images were opened from counts, to return there.

    Attributes:
        choices: What was counted.
        figure: What stood in the cells.
        group: Position of the group under the cursor; None for all.
        column: Position of the class under the cursor.
    """

    choices: "CountChoices"
    figure: "Figure"
    group: int | None
    column: int


@dataclass(frozen=True)
class OpenImages:
    """Images that the person wants to see on the labelling screen; the answer of the screens of runs and counts.

    Attributes:
        title: What they are, such as `truth basophil, predicted monocyte`.
        keys: The images, in the order to see them in.
        first: The one to see first; None is the one that was seen before, if it is one of them.
        place: Where they were opened, if from a run.
        counts: Where they were opened, if from counts.
    """

    title: str
    keys: tuple[ImageKey, ...] | ImageList
    first: ImageKey | None = None
    place: RunPlace | None = field(default=None, compare=False)
    counts: CountsPlace | None = field(default=None, compare=False)
