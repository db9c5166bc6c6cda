"""Text of as many lines as it needs."""

from textual.visual import VisualType
from textual.widgets import Static

from mia_tui.tui.textual_private import find_height_anew


class TextBlock(Static):
    """Text without markup, as high as what it says now.

    Args:
        text: What it says at first.
    """

    def __init__(self, text: VisualType = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Say this from now on, with as many lines as it takes."""
        super().update(content, layout=layout)
        find_height_anew(self)
