"""Lines of styled text that are scrolled, and marked with the mouse to be copied; only those in view are drawn."""

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.selection import Selection
from textual.strip import Strip

from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_PLAIN = Style()  # as in line_list


class TextLines(LineList[Text]):
    """Lines that fit into its width.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(ink, self._draw_text, id=id)
        self.set_classes(classes or "")

    def _draw_text(self, text: Text, width: int, is_current: bool) -> list[Segment]:
        return [Segment(part.text, part.style or _PLAIN) for part in text.render(self.app.console)]

    def render_line(self, y: int) -> Strip:
        """Each sign has its place with it, as Textual needs it to mark text."""
        line, strip = y + int(self.scroll_offset.y), super().render_line(y)
        span = self.text_selection and self.text_selection.get_span(line)
        if span:
            start, end = span[0], strip.cell_length if span[1] == -1 else span[1]
            marked = strip.crop(start, end).apply_style(
                self.screen.get_component_rich_style("screen--selection")
            )
            strip = Strip.join([strip.crop(0, start), marked, strip.crop(end)])
        return strip.apply_offsets(0, line)

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        return selection.extract("\n".join(text.plain for text in self._items)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()
