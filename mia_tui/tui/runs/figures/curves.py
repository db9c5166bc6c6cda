"""Curves on the screen: as many plots as fit; only lines that changed are painted again."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.tui.runs.figures.text_plots import LEAST_COLUMNS, LEAST_ROWS, Curve, Plot, draw
from mia_tui.tui.widgets.ink import Ink, style

_WIDE = 3  # plots side by side
_WIDE_FROM = 56  # columns of each of three
_STACKED_ROWS = 11  # of each plot where there is one above the other


class Curves(Widget, can_focus=False):
    """Plots, as many of them as fit.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink = ink
        self._plots: tuple[Plot, ...] = ()
        self._first = 0
        self._lines: list[Strip] = []

    def show(self, plots: Sequence[Plot]) -> None:
        """Paint these from now on."""
        self._plots = tuple(plots)
        self._make()

    def turn(self) -> bool:
        """Show the plots that did not fit; False if all are shown."""
        across, down = self._room()
        if across * down >= len(self._plots):
            return False
        self._first = (self._first + across * down) % len(self._plots)
        self._make()
        return True

    def notify_style_update(self) -> None:
        """The theme is another one."""
        super().notify_style_update()
        if self._plots:
            self._make()

    def on_resize(self) -> None:
        self._first = 0
        self._make()

    def render_line(self, y: int) -> Strip:
        line = self._lines[y] if y < len(self._lines) else Strip.blank(self.size.width, Style())
        return line.apply_style(self.rich_style)

    def _room(self) -> tuple[int, int]:
        """How many plots fit beside each other, and above."""
        width = self.size.width
        most = _WIDE if width >= _WIDE * _WIDE_FROM else _WIDE - 1
        across = max(1, min(most, len(self._plots), width // (LEAST_COLUMNS + 2)))
        return across, max(1, min(-(-len(self._plots) // across), self.size.height // _STACKED_ROWS))

    def _make(self) -> None:
        """Draw, and paint the lines that changed."""
        if self.size.width < LEAST_COLUMNS or self.size.height < LEAST_ROWS:
            lines = [Strip([Segment("The window is too small for curves.", Style())])]
        else:
            lines = self._grid()
        old, self._lines = self._lines, lines
        changed = [
            Region(0, y, self.size.width, 1)
            for y in range(max(len(old), len(lines)))
            if y >= len(old) or y >= len(lines) or old[y] != lines[y]
        ]
        if changed:
            self.refresh(*changed)

    def _grid(self) -> list[Strip]:
        across, down = self._room()
        shown = self._plots[self._first : self._first + across * down]
        columns, below = self.size.width // across, -(-len(shown) // across)
        lines: list[Strip] = []
        for start in range(0, len(shown), across):
            above = start // across
            rows = self.size.height * (above + 1) // below - self.size.height * above // below
            drawn = [self._drawn(plot, columns - 2, rows) for plot in shown[start : start + across]]
            lines += [
                Strip.join(parts).adjust_cell_length(self.size.width, Style())
                for parts in zip(*drawn, strict=True)
            ]
        return lines

    def _drawn(self, plot: Plot, columns: int, rows: int) -> list[Strip]:
        styles = [self._style(curve) for curve in plot.curves]
        gap = Segment("  ", Style())  # NO_COLOR does without segments that have no style
        lines = draw(plot, columns, rows, unicode=self._ink.unicode)
        return [
            Strip(
                [*(Segment(text, Style() if who is None else styles[who]) for text, who in line), gap],
                columns + 2,
            )
            for line in lines
        ]

    def _style(self, curve: Curve) -> Style:
        if curve.colour and self._ink.colours:
            return style(fg=curve.colour)
        if curve.stroke == "dots":
            return self._ink.dim()
        if not self._ink.colours:
            return Style(bold=curve.stroke == "line")
        return Style(color=(self._ink.accent() if curve.stroke == "line" else self._ink.warning()).color)
