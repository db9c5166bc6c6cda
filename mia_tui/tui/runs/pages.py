"""The pages of the screen of a run. Only the page in view is kept up to date."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget

from mia_tui.catalog.metrics import metric_words
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.train import TrainConfig
from mia_tui.runs.evaluation.confusion import ConfusionReport, Which
from mia_tui.runs.list.words import evaluated_in_epoch
from mia_tui.text import counted, percent
from mia_tui.tui.keys.bindings import said_key, shown_key
from mia_tui.tui.runs.figures.confusion import ClassFigureTable, ConfusionList
from mia_tui.tui.runs.figures.curves import Curves
from mia_tui.tui.runs.figures.epoch_table import EpochTable
from mia_tui.tui.runs.figures.matrix import ConfusionMatrix
from mia_tui.tui.runs.figures.run_plots import plots_of
from mia_tui.tui.runs.follow import RunSnapshot
from mia_tui.tui.runs.words import (
    kind_of_job,
    message_count,
    messages_text,
    notes_text,
    result_lines,
    settings_text,
    trials_text,
)
from mia_tui.tui.widgets.bars import BarList
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_block import TextBlock
from mia_tui.tui.widgets.text_line import Piece, TextLine

PageName = Literal["result", "curves", "epochs", "by_class", "confusion", "settings", "messages"]
PAGES: tuple[PageName, ...] = get_args(PageName)
TITLES = dict(
    zip(PAGES, ("Result", "Curves", "Epochs", "Per class", "Confusion", "Settings", "Messages"), strict=True)
)

_PAGES_OF_KIND: dict[str, tuple[PageName, ...]] = {
    TrainConfig.kind: PAGES[1:],
    EvaluateConfig.kind: ("result", "by_class", "confusion", "settings", "messages"),
}
_OTHER_PAGES: tuple[PageName, ...] = ("result", "settings", "messages")

MOST_IN_MATRIX = 50
"""Above so many classes the largest confusions are listed first."""

_FAR = 1_000_000
_NAMED = 18  # columns of a class in a sentence


@dataclass(frozen=True)
class ChosenImages:
    """The images under the cursor: those of a class, or of a cell of the matrix."""

    report: ConfusionReport
    truth: int
    predicted: int | None


@dataclass(frozen=True)
class PagePlace:
    """A page, how it was shown, and where its cursor was.

    Attributes:
        page: Its name.
        which: The epoch whose matrix was shown; None for the best.
        as_list: Whether confusions were listed; None for as many classes as there are.
        line: Of the cursor.
        column: Of the cursor in the matrix.
    """

    page: PageName
    which: Which | None
    as_list: bool | None
    line: int
    column: int = 0


class RunPages(Vertical):
    """Shows a snapshot of a run, one page at a time.

    Args:
        ink: Characters and styles.
        keys: The keys in force on the screen, for sentences.
    """

    def __init__(self, ink: Ink, keys: Mapping[str, Sequence[str]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink, self._keys = ink, keys
        self.page: PageName = "curves"
        self._is_log = False
        self._as_list: bool | None = None  # None: by the number of classes
        self._by_likeness = True
        self._which: Which | None = None  # None: the best epoch as soon as it has a matrix
        self._snapshot: RunSnapshot | None = None
        self.curves, self.epochs, self._result = Curves(ink), EpochTable(ink), BarList(ink)
        self._class_table, self._cell_words = ClassFigureTable(ink), TextLine(ink)
        self._matrix, self._list = ConfusionMatrix(ink), ConfusionList(ink)
        self._settings, self._messages = TextBlock(), TextBlock()
        self._texts: dict[TextBlock, str] = {}
        self._returned_to: PagePlace | None = None  # until its page is shown
        self._widgets: dict[PageName, Widget] = {
            "result": self._result,
            "curves": self.curves,
            "epochs": self.epochs,
            "by_class": self._class_table,
            "confusion": Vertical(self._matrix, self._list, self._cell_words),
            "settings": VerticalScroll(self._settings, can_focus=False),
            "messages": VerticalScroll(self._messages, can_focus=False),
        }

    def compose(self) -> ComposeResult:
        for name, widget in self._widgets.items():
            widget.display = name == self.page
            yield widget

    # What is shown

    def show(self, snapshot: RunSnapshot) -> None:
        """Bring the page in view up to date."""
        self._snapshot = snapshot
        state, report = snapshot.state, snapshot.report
        if self.page not in self.names:
            self._put_in_view(self.names[0])
        if self.page == "result":
            self._result.show_bars(result_lines(snapshot))
        elif self.page == "curves":
            self.curves.show(plots_of(state, log=self._is_log))
        elif self.page == "epochs":
            self.epochs.show_epochs(state.epochs, state.metric, state.best)
        elif self.page == "by_class":
            if report is not None:
                self._class_table.show_classes(report)
        elif self.page == "confusion":
            self._show_confusion(snapshot)
        elif self.page == "settings":
            words = notes_text(snapshot), trials_text(state), settings_text(snapshot.job)
            self._say(self._settings, "".join(words))
        else:
            self._say(self._messages, messages_text(snapshot))
        if self._returned_to is not None and (report is not None or self.page == "result"):
            self._put_cursor(self._returned_to)

    @property
    def place(self) -> PagePlace:
        """The page in view, to return to."""
        if self.page == "confusion" and not self._lists:
            return PagePlace(self.page, self._which, self._as_list, *self._matrix.chosen)
        return PagePlace(self.page, self._which, self._as_list, self._rows().cursor or 0)

    def return_to(self, place: PagePlace) -> None:
        """Show a page as it was left, as soon as the run is read."""
        self._which, self._as_list, self._returned_to = place.which, place.as_list, place
        self._put_in_view(place.page)

    def _put_cursor(self, place: PagePlace) -> None:
        self._returned_to = None
        if place.page == "confusion" and not self._lists:
            self._matrix.choose(place.line, place.column)
        else:
            self.move(place.line - (self._rows().cursor or 0), 0)

    @property
    def names(self) -> tuple[PageName, ...]:
        """The pages of a run of this kind."""
        kind = TrainConfig.kind if self._snapshot is None else kind_of_job(self._snapshot)
        return _PAGES_OF_KIND.get(kind, _OTHER_PAGES)

    def tabs(self) -> list[tuple[PageName, Piece]]:
        """The names of the pages, the one in view marked; none before it is known what kind of run it is."""
        if self._snapshot is None:
            return []
        pieces: list[tuple[PageName, Piece]] = []
        messages = message_count(self._snapshot)
        for name in self.names:
            title = TITLES[name]
            key = "".join(f"{shown_key(key)} " for key in self._keys[f"pane_{name}"][:1])
            count = f" ({messages})" if name == "messages" and messages else ""
            is_shown = name == self.page
            text = f"[{key}{title}{count}]" if is_shown else f" {key}{title}{count} "
            shown_style = self._ink.cursor() + Style(bold=True) if is_shown else Style()
            pieces.append((name, (text, shown_style)))
        return pieces

    def tab_at(self, column: int) -> PageName | None:
        """The page whose name is at a column of the line of them."""
        for name, (text, _) in self.tabs():
            column -= self._ink.width(text)
            if column < 0:
                return name
        return None

    @property
    def title(self) -> str:
        """What is said above the page in view."""
        snapshot = self._snapshot
        if snapshot is None:
            return ""
        if self.page in ("by_class", "confusion"):
            words = self._report_words(snapshot)
            results = said_key("run", self._keys, "results")
            return words if snapshot.report is None else f"{words}; {results}: intervals"
        if self.page == "curves":
            return f"Curves: {metric_words(snapshot.state.metric)} decides which epoch is the best"
        return TITLES[self.page]

    @property
    def wants(self) -> Which | None:
        """The confusion matrix that the page in view needs."""
        if self.page not in ("by_class", "confusion"):
            return None
        if "epochs" not in self.names:
            return "evaluation"
        if self._which is not None or self._snapshot is None:
            return self._which or "best"
        state = self._snapshot.state
        saved = state.confusions.get("confusion/best.json")
        is_best = saved is not None and state.best is not None and saved.epoch == state.best.epoch
        return "best" if is_best else "last"  # the best is saved with its weights, at most once a minute

    # Keys

    def turn_to(self, page: PageName) -> None:
        """Show another page."""
        self._put_in_view(page)
        self._again()

    def turn(self, by: int) -> None:
        """Show the next page, or the one before."""
        names = self.names
        self.turn_to(names[(names.index(self.page) + by) % len(names)])

    def toggle_log(self) -> str:
        """Switch between a logarithmic scale of losses and a linear one; returns what to say."""
        self._is_log = not self._is_log
        self._again()
        return "Losses on a logarithmic scale." if self._is_log else "Losses on a linear scale."

    def toggle_which(self) -> None:
        """Show the confusion matrix of the other epoch, the best or the last."""
        self._which = "last" if (self.wants or self._which) == "best" else "best"
        self._again()

    def toggle_list(self) -> None:
        """Confusions as a list, or as a matrix."""
        self._as_list = not self._lists
        self._again()

    def toggle_order(self) -> str:
        """Classes of the matrix by likeness, or in their own order; returns what to say."""
        self._by_likeness = not self._by_likeness
        self._again()
        if self._by_likeness:
            return "Classes that are confused are neighbours."
        return "Classes are in their own order."

    def move(self, down: int, right: int) -> None:
        """Move the cursor of the page, or scroll it."""
        if self.page == "curves":
            if right:
                self.curves.turn()
        elif self.page == "confusion" and not self._lists:
            self._matrix.move(down, right)
        elif self.page in ("settings", "messages"):
            self._widgets[self.page].scroll_relative(y=down, animate=False)
        else:
            self._rows().move(down)
        self._again()

    def move_page(self, pages: int) -> None:
        """Move the cursor, or scroll, by as many rows as are in view."""
        if self.page == "confusion" and not self._lists:
            self.move(pages * self._matrix.rows_shown, 0)
        elif self.page in ("settings", "messages"):
            self.move(pages * max(1, self.size.height - 1), 0)
        else:
            self.move(pages * self._rows().page, 0)

    def move_far(self, way: int) -> None:
        """To the first row, or the last."""
        self.move(way * _FAR, 0)

    @property
    def chosen_class(self) -> str | None:
        """The predicted class under the cursor; None if there is none."""
        return self._result.chosen if self.page == "result" else None

    @property
    def chosen(self) -> ChosenImages | None:
        """The images under the cursor; None if there are none."""
        report = None if self._snapshot is None else self._snapshot.report
        if report is None or not report.matrix.classes:
            return None
        if self.page == "by_class":
            return ChosenImages(report, self._class_table.cursor or 0, None)
        if self.page != "confusion":
            return None
        if not self._lists:
            return ChosenImages(report, *self._matrix.chosen)
        if not report.confusions:
            return None
        cell = report.confusions[self._list.cursor or 0]
        return ChosenImages(report, cell.truth, cell.predicted)

    def _put_in_view(self, page: PageName) -> None:
        self.page = page
        for name, widget in self._widgets.items():
            widget.display = name == page

    # Confusions

    def _show_confusion(self, snapshot: RunSnapshot) -> None:
        report = snapshot.report
        self._matrix.display = report is not None and not self._lists
        self._list.display = report is not None and self._lists
        if report is None:
            self._cell_words.show([])
            return
        if self._lists:
            self._list.show_confusions(report)
        else:
            order = report.by_likeness if self._by_likeness else tuple(range(len(report.by_likeness)))
            self._matrix.show_matrix(report, order)
        words, has_images = self._words_of_cell()
        opens = f"{said_key('run', self._keys, 'open')} opens them"
        self._cell_words.show([(words, None)], [(opens, self._ink.dim())] if has_images else [])

    def _words_of_cell(self) -> tuple[str, bool]:
        """A sentence, and whether there are images of it."""
        chosen = self.chosen
        if chosen is None or chosen.predicted is None:
            return "No prediction is wrong.", False
        matrix = chosen.report.matrix
        count = int(matrix.counts[chosen.truth, chosen.predicted])
        of_class = int(matrix.counts[chosen.truth].sum())
        truth, predicted = (
            self._ink.fit(matrix.classes[place], _NAMED) for place in (chosen.truth, chosen.predicted)
        )
        what = "predicted correctly" if chosen.truth == chosen.predicted else f"predicted as {predicted}"
        if not count:
            return f"{truth} {what}: no image", False
        return f"{truth} {what}: {counted(count, 'image')}, {percent(count / of_class)} of the class", True

    def _report_words(self, snapshot: RunSnapshot) -> str:
        report = snapshot.report
        if "epochs" not in self.names:
            return self._evaluation_words(snapshot)
        if report is None:
            if f"confusion/{self.wants}.json" in snapshot.state.confusions:
                return "Reading the confusion matrix."
            if self.wants == "best":
                other = said_key("run", self._keys, "which_epoch")
                return (
                    f"The matrix of the best epoch is saved with its weights; {other} shows the last epoch."
                )
            return "There is no confusion matrix before the end of the first epoch."
        matrix = report.matrix
        total = int(matrix.counts.sum())
        best = snapshot.state.best
        is_newest = report.which == "last" or best is None or best.epoch == matrix.epoch
        which = f"{report.which.capitalize()} epoch" if is_newest else "Best saved epoch"
        return (
            f"{which}, {matrix.epoch:,}, on {self._ink.shown(matrix.split)}"
            f"{evaluated_in_epoch(snapshot.state, matrix.epoch)}: "
            f"{counted(total, 'image')}, {report.mistakes:,} wrong, macro F1 {report.figures['macro_f1']:.3f}"
        )

    def _evaluation_words(self, snapshot: RunSnapshot) -> str:
        report, result = snapshot.report, snapshot.state.result
        if report is None:
            return (
                "Reading the confusion matrix." if result is not None else "There is no confusion matrix yet."
            )
        total = counted(int(report.matrix.counts.sum()), "image")
        figure = f"macro F1 {report.figures['macro_f1']:.3f}"
        return f"On {self._ink.shown(report.matrix.split)}: {total}, {report.mistakes:,} wrong, {figure}"

    @property
    def _lists(self) -> bool:
        if self._as_list is not None:
            return self._as_list
        job = None if self._snapshot is None else self._snapshot.job
        return job is not None and len(job.classes) > MOST_IN_MATRIX

    def _rows(self) -> BarList | EpochTable | ClassFigureTable | ConfusionList:
        if self.page == "result":
            return self._result
        if self.page == "epochs" or self.page == "curves":
            return self.epochs
        return self._class_table if self.page == "by_class" else self._list

    def _say(self, widget: TextBlock, text: str) -> None:
        if self._texts.get(widget) != text:
            self._texts[widget] = text
            widget.update(self._ink.shown_lines(text))

    def _again(self) -> None:
        if self._snapshot is not None:
            self.show(self._snapshot)
