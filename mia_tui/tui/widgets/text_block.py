"""A text of as many lines as it needs."""

from textual.visual import VisualType
from textual.widgets import Static

from mia_tui.tui.textual_private import find_height_anew


class TextBlock(Static):
    """Text without markup, as high as the present text needs.

    Args:
        text: The first text.
    """

    def __init__(self, text: VisualType = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show this text."""
        super().update(content, layout=layout)
        find_height_anew(self)
