"""A line with a title around a widget."""

from textual.containers import Vertical
from textual.widget import Widget


class TitledPanel(Vertical):
    """A panel around one widget.

    Args:
        inner: The widget, whose id the panel's own begins with.
    """

    def __init__(self, inner: Widget) -> None:
        super().__init__(inner, id=f"{inner.id}-panel", classes="panel")

    def show_title(self, title: str) -> None:
        """Paint the title if it is another one."""
        if title != self.border_title:
            self.border_title = title
