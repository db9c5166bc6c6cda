"""The images of a session as tiles: what the frame of each says."""

from rich.style import Style

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.text import percent
from mia_tui.tui.classes.class_frame import FrameKind
from mia_tui.tui.classes.class_mark import class_mark
from mia_tui.tui.mosaic.frame import TileFace
from mia_tui.tui.widgets.ink import Ink, style


class SessionTiles:
    """The images of the session's view; its current image is the cursor.

    Args:
        session: The images.
        ink: Characters and styles.
    """

    def __init__(self, session: LabelSession, ink: Ink) -> None:
        self._session, self._ink = session, ink

    def __len__(self) -> int:
        return len(self._session.view)

    @property
    def generation(self) -> object:
        return self._session.view_generation

    @property
    def position(self) -> int | None:
        return self._session.position

    def key(self, position: int) -> ImageKey:
        return self._session.listing.key(int(self._session.view[position]))

    def face(self, position: int) -> TileFace:
        row = int(self._session.view[position])
        state = self._session.state_of(row)
        chip, chip_style = _chip(state, self._ink)
        kind, name, colour = _class_words(state)
        return TileFace(
            kind,
            name,
            colour,
            chip,
            chip_style,
            sure=percent(state.confidence) if kind == "suggestion" and state.confidence is not None else "",
            signs=_signs(state, self._ink),
            is_current=position == self._session.position,
            is_marked=self._session.is_selected(row),
        )


def _class_words(state: RowState) -> tuple[FrameKind, str, str | None]:
    if state.image_class is not None:
        return "label", state.image_class.name, state.image_class.colour
    if state.suggestion is not None:
        sign = "?" if state.confidence is None or state.unsure else ""
        return "suggestion", f"{state.suggestion.name}{sign}", state.suggestion.colour
    return "none", "", None


def _signs(state: RowState, ink: Ink) -> str:
    """A flag, the sign of a skipped image, that of a note, and where label and suggestion differ, the key of that."""
    signs = ((ink.flag, state.flagged), (ink.skipped, state.skipped), (ink.noted, bool(state.note)))
    shown = [sign for sign, is_so in signs if is_so]
    if state.image_class is not None and state.differs and state.suggestion is not None:
        shown.insert(0, f"{state.suggestion.name}?")
    return " ".join(shown)


def _chip(state: RowState, ink: Ink) -> tuple[str, Style]:
    """The mark of the class; without one, a flag or the sign of a skipped image."""
    is_plain = state.problem is None and state.image_class is None and state.suggestion is None
    if is_plain and (state.flagged or state.skipped):
        return f" {ink.flag if state.flagged else ink.skipped} ", style(bold=True)
    return class_mark(state, ink)
