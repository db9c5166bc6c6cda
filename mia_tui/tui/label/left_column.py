"""What stands left of the image: the list of files, and below it how probable each class is."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Size

from mia_tui.config.user.kept import ProbabilityOrder, keep, kept_settings
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.tui.label.image_list import ImageList
from mia_tui.tui.label.suggestions.probabilities import ProbabilityReader, ShownProbabilities
from mia_tui.tui.label.suggestions.probability_panel import ProbabilityPanel
from mia_tui.tui.label.words import next_probability_order, short_model
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.panel import Panel

NARROW_COLUMNS = 100
"""In a narrower terminal the list gives its room to the image."""

LOW_ROWS = 30
"""In a lower terminal classes have one line, and their probabilities none."""

_BOTTOM_LINES = 5
_PROBABILITIES_COLUMNS = 26  # without the list


class LeftColumn(Vertical):
    """A panel with the list, and one with the probabilities once there are some; each where there is room for it.

    Args:
        session: The images and their classes.
        reader: Finds the probabilities of one image after the other.
        ink: Characters and styles.
        columns: Width of the list.

    Attributes:
        list: The list of files.
    """

    BLANK = True  # nothing of its own to paint: Textual need not make lines for it

    def __init__(self, session: LabelSession, reader: ProbabilityReader, ink: Ink, *, columns: int) -> None:
        super().__init__(id="left")
        self._session, self._reader, self._ink, self._columns = session, reader, ink, columns
        self._wants_list: bool | None = None  # None: by the width of the terminal
        self._wants_bars: bool | None = None  # None: by its size
        self._order: ProbabilityOrder = kept_settings().probabilities or "by_probability"
        self.list = ImageList(session, ink, id="list")
        self._bars = ProbabilityPanel(ink, id="probabilities")
        self._list_panel, self._bars_panel = (
            Panel(self.list, id="list-panel"),
            Panel(self._bars, id="probabilities-panel"),
        )

    def compose(self) -> ComposeResult:
        yield self._list_panel
        yield self._bars_panel

    @property
    def page(self) -> int:
        """Images on a page of the list."""
        return max(1, self.list.size.height - 1) if self._list_panel.display else 10

    @property
    def shows_probabilities(self) -> bool:
        """Whether there is room for the probabilities of the classes."""
        return self._bars_panel.display

    def toggle_list(self) -> None:
        """Show or hide the list, whatever the width."""
        self._wants_list = not self._list_panel.display

    def next_probability_order(self) -> str:
        """Show the probabilities in another order, or hide them; returns a sentence about it."""
        self._order, words = next_probability_order(self._order if self._bars_panel.display else "off")
        self._wants_bars = self._order != "off"
        keep(probabilities=self._order)
        return words

    def lay_out(self, terminal: Size, new_classes: int, *, is_hidden: bool = False) -> None:
        """Make room for what is shown.

        Args:
            terminal: Its size.
            new_classes: How many classes the model has besides those of the dataset.
            is_hidden: Whether nothing is shown, as in an audit: both panels say what was said of images.
        """
        narrow, low = terminal.width < NARROW_COLUMNS, terminal.height < LOW_ROWS
        has_list = not narrow if self._wants_list is None else self._wants_list
        has_room = not narrow and not low if self._wants_bars is None else self._wants_bars
        has_bars = self._reader.has_some and self._order != "off" and has_room
        self._list_panel.display, self._bars_panel.display = has_list, has_bars
        self.display = (has_list or has_bars) and not is_hidden
        self.styles.width = self._columns if has_list else min(self._columns, _PROBABILITIES_COLUMNS)
        border = 1 if low or narrow else 2
        classes = len(self._session.classes) + new_classes
        most = terminal.height // 2 - _BOTTOM_LINES - border  # the list keeps half of the room
        self._bars_panel.styles.height = border + max(1, min(classes, most)) if has_list else "1fr"

    def show(
        self,
        changed: Sequence[int],
        row: int | None,
        state: RowState | None,
        probabilities: ShownProbabilities | None = None,
    ) -> None:
        """Paint what is different now.

        Args:
            changed: Rows whose label or marks changed.
            row: The current image; None without one.
            state: Of that image.
            probabilities: To be shown in place of those of the model.
        """
        session = self._session
        self.list.update(changed)
        shown, images = len(session.view), len(session.listing)
        words = f"{shown:,} of {images:,} images" if shown < images else f"{images:,} images"
        self._list_panel.show_title(words if images != 1 else "1 image")
        if self._bars_panel.display:
            found = probabilities or self._reader.of(row, state)
            self._bars.show(found, session.classes if self._order == "by_class" else None)
            self._bars_panel.show_title(self._ink.shown(short_model(found.model)))
