"""The panel of the tour, at the upper edge of a screen: it takes room there, and lies over nothing."""

from rich.text import Text

from mia_tui.tui.context import Context
from mia_tui.tui.tour.tour import STEPS, Tour
from mia_tui.tui.widgets.text_block import TextBlock


class TourPanel(TextBlock):
    """Says what to press now.

    Args:
        tour: The tour.
        scope: The screen that it is shown on.
        context: What screens share.
    """

    def __init__(self, tour: Tour, scope: str, context: Context) -> None:
        super().__init__(id="tour", classes="panel -active")
        self._tour, self._scope, self._shared = tour, scope, context

    def on_mount(self) -> None:
        self._tour.watch(self.show)
        self.show()

    def on_unmount(self) -> None:
        self._tour.unwatch(self.show)

    def show(self) -> None:
        """Show the present step."""
        tour, ink = self._tour, self._shared.ink
        self.display = not tour.is_left
        self.border_title = (
            "Tour" if tour.is_over else f"Tour: {tour.step + 1} of {len(STEPS)}, {STEPS[tour.step].title}"
        )
        marks = ("✓", ink.pointer, ink.dot) if ink.unicode else ("x", ">", ".")
        self.border_subtitle = "  ".join(
            f"{marks[0 if tour.is_done(step) else 1 if place == tour.step else 2]} {step.title}"
            for place, step in enumerate(STEPS)
        )
        self.update(Text(ink.shown(tour.words(self._scope, self._shared.user.keys))))
