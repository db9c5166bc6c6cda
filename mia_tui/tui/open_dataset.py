"""The dataset that is open, and images of it that a screen wants to be shown."""

from dataclasses import dataclass, field
from pathlib import Path

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession


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
class OpenImages:
    """Images that the person wants to see on the labelling screen; the answer of the screens of runs.

    Attributes:
        title: What they are, such as `truth basophil, predicted monocyte`.
        keys: The images, in the order to see them in.
        first: The one to see first; None is the one that was seen before, if it is one of them.
    """

    title: str
    keys: tuple[ImageKey, ...]
    first: ImageKey | None = None
