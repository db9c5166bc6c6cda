"""A text of as many lines as it needs."""

from textual.visual import VisualType
from textual.widgets import Static


class TextBlock(Static):
    """Text without markup, as high as the present text needs.

    Textual counts the layouts that a widget has asked for, and caches its height under that count. While a layout
    is pending it does not count again: if a layout is made between two texts and the widget was not idle in between,
    the second text keeps the height of the first. So every text increments `_layout_updates`, which is private to
    Textual.

    Args:
        text: The first text.
    """

    def __init__(self, text: VisualType = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show this text."""
        super().update(content, layout=layout)
        self._layout_updates += 1
