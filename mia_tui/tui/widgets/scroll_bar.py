"""Scroll bars for terminals without Unicode: whole cells, where Textual ends them with blocks of an eighth of one."""

from textual.scrollbar import ScrollBar, ScrollBarRender


class WholeCellScrollBar(ScrollBarRender):
    """A bar of spaces, painted in colours or reversed."""

    VERTICAL_BARS = [" "]  # noqa: RUF012  # a ClassVar of Textual
    HORIZONTAL_BARS = [" "]  # noqa: RUF012


def choose_scroll_bars(*, unicode: bool) -> None:
    """Draw all scroll bars from now on by what the terminal can show; Textual has one kind for all of them."""
    ScrollBar.renderer = ScrollBarRender if unicode else WholeCellScrollBar
