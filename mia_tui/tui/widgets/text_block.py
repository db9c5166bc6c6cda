"""Text of as many lines as it needs."""

from textual.visual import VisualType
from textual.widgets import Static


class TextBlock(Static):
    """Text without markup, as high as what it says now.

    Textual counts the layouts a widget has asked for, and keeps the height that was found under a count. It counts
    one more only if it is not yet to make a layout: where one comes between two texts, and the widget was not idle
    in between, the second would have the height of the first for good. So each text counts; of Textual's private
    parts, this leans on `_layout_updates`.

    Args:
        text: What it says at first.
    """

    def __init__(self, text: VisualType = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Say this from now on, with as many lines as it takes."""
        super().update(content, layout=layout)
        self._layout_updates += 1
