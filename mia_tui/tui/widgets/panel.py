"""A panel: what belongs together, with a line around it that has a title."""

from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget


class Panel(Vertical, can_focus=False):
    """Widgets below each other with a title above them; its look is the class `panel` of app.tcss.

    Args:
        children: What it holds.
        is_active: Whether the keys go there.
        title: Above them.
    """

    def __init__(
        self, *children: Widget, id: str | None = None, is_active: bool = False, title: str = ""
    ) -> None:
        super().__init__(*children, id=id, classes="panel -active" if is_active else "panel")
        self._title = ""
        self.show_title(title)

    def show_title(self, title: str) -> None:
        """Paint the title if it is another one."""
        if title != self._title:
            self._title = title
            self.border_title = Content(title)
