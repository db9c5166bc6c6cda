"""The dialog from which a review begins: what there is to review, with how many images each has."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.errors import MiaError
from mia_tui.tui.dialogs import Choice, PickDialog
from mia_tui.tui.review.queue import TITLES, Doubted
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.review.finder import DoubtFinder

Begun = Literal["least_sure", "surest", "by_class", "differs", "audit", "disputes", "progress"] | Doubted
"""What can be chosen."""

_WORDS: dict[Begun, str] = {
    "least_sure": "Least sure first",
    "surest": "Surest first",
    "by_class": "By class",
    "differs": "Where model and labels differ",
    "label": "Labels that look wrong",
    "duplicate": "Near-duplicates with different labels",
    "outlier": "Outliers: unlike all other labelled images",
    "unfamiliar": "Unfamiliar images: unlike all labelled ones",
    "audit": "Audit: is a random sample right?",
    "disputes": "Disputes of several annotators",
    "progress": "How far are we?",
}
_OF_SUGGESTIONS: tuple[Begun, ...] = ("least_sure", "surest", "by_class", "differs")
_HINT = "{ok} begins, {cancel} changes nothing."


class ReviewChooser(PickDialog[Begun]):
    """Asks what to review. Counts that take long are filled in when they are known.

    Args:
        session: The images.
        finder: Finds what is doubtful.
        ink: Characters and styles.
        asked: What stands in brackets behind audit and progress; empty for nothing.
    """

    def __init__(
        self, session: LabelSession, finder: "DoubtFinder", ink: Ink, asked: Mapping[Begun, str]
    ) -> None:
        self._session, self._finder, self._asked = session, finder, asked
        self._counts: dict[Begun, str] = dict.fromkeys(TITLES, ink.more)
        super().__init__("Review what?", self._entries(), ink, hint=_HINT)

    def on_mount(self) -> None:
        """Textual calls the method of a superclass, too."""
        self.run_worker(self._count_doubts(), name="doubts")

    async def _count_doubts(self) -> None:
        try:
            await self._find_doubts()
        except MiaError as error:
            self.remark(str(error))

    async def _find_doubts(self) -> None:
        for kind in TITLES:  # closing this ends it after the one at work
            found = await self._finder.find((kind,))
            self._counts[kind] = "not known yet" if found.why_not else f"{len(found.doubts[kind]):,}"
            self.replace_choices(self._entries())

    def _entries(self) -> list[Choice[Begun]]:
        session = self._session
        suggested, differs = "no suggestions yet", "no suggestions yet"
        if session.model:
            suggested, differs = (
                f"{len(session.rows_of(Filter(state))):,}" for state in ("suggested", "differs")
            )
        unsure = len(session.rows_of(Filter("unsure"))) if session.model else 0
        inside: dict[Begun, str] = {
            "least_sure": f"{suggested}, {unsure:,} of them unsure" if unsure else suggested,
            "surest": suggested,
            "by_class": suggested,
            "differs": differs,
            **self._counts,
            **self._asked,
        }
        disputes = len(session.rows_of(Filter("disputed")))
        if disputes:
            inside["disputes"] = f"{disputes:,}"
        # Once all images are labelled, what has none comes last: the cursor begins at the first.
        empty = {name for name in _OF_SUGGESTIONS if suggested == inside[name] == "0"}
        return [
            Choice(f"{_WORDS[name]} ({inside[name]})" if inside[name] else _WORDS[name], name)
            for name in sorted(_WORDS, key=lambda name: name in empty)
            if name in inside
        ]
