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
        self._named: tuple[str, str] = ("", "")
        self.call(title)

    def call(self, title: str, more: str = "") -> None:
        """Show this title, and what is said at the lower right."""
        if (title, more) != self._named:
            self._named = title, more
            self.border_title, self.border_subtitle = Content(title), Content(more)
