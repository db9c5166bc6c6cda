"""A text of as many lines as it needs."""

from rich.console import RenderableType
from rich.style import Style as RichStyle
from rich.text import Text
from textual.css.styles import RulesMap
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual, VisualType
from textual.widget import Widget
from textual.widgets import Static

from mia_tui.tui.textual_private import find_height_anew

_WIDTHS = 3  # that of a column changes when its scrollbar appears


class TextBlock(Static):
    """Text without markup, as high as the present text needs.

    Args:
        text: The first text.
    """

    def __init__(self, text: VisualType = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(self._drawn_once(text), id=id, classes=classes, markup=False)

    def update(self, content: VisualType = "", *, layout: bool = True) -> None:
        """Show this text."""
        super().update(self._drawn_once(content), layout=layout)
        find_height_anew(self)

    def _drawn_once(self, content: VisualType) -> VisualType:
        is_plain = isinstance(content, str | Text | Visual) or hasattr(content, "visualize")
        return content if is_plain else _DrawnOnce(self, content)  # type: ignore[arg-type]  # it is of rich


class _DrawnOnce(Visual):
    """Something of rich, such as a table, that is drawn once for each width.

    Textual draws it each time that it asks for its height, and once more to paint it: half a second for the tables of
    all keys.
    """

    def __init__(self, widget: Widget, renderable: RenderableType) -> None:
        self._widget, self._renderable = widget, renderable
        self._lines: dict[int, list[Strip]] = {}
        self._styled: tuple[int, RichStyle, list[Strip]] | None = None

    def _drawn(self, width: int) -> list[Strip]:
        lines = self._lines.get(width)
        if lines is None:
            app = self._widget.app
            options = app.console_options.update(highlight=False, width=width, height=None)
            drawn = app.console.render_lines(self._renderable, options, pad=False)
            lines = [Strip(line) for line in drawn]
            if len(self._lines) >= _WIDTHS:
                self._lines.clear()
            self._lines[width] = lines
        return lines

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return container_width

    def get_minimal_width(self, rules: RulesMap) -> int:
        return 1

    def get_height(self, rules: RulesMap, width: int) -> int:
        return len(self._drawn(width))

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        ground = style.rich_style
        if self._styled is None or self._styled[:2] != (width, ground):
            self._styled = width, ground, [line.apply_style(ground) for line in self._drawn(width)]
        return self._styled[2][:height]
