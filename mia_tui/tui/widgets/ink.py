"""Characters and styles for what the terminal can show: colours or none, Unicode or ASCII; in the theme's colours."""

from collections.abc import Mapping
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.style import Style

from mia_tui.terminal.model import Terminal
from mia_tui.text import printable

_GREY = "#808080"

ON_DARK = {"accent": "#b5a8ff", "warning": "#f2b84b", "error": "#ff7a85", "success": "#6fd08c"}
ON_LIGHT = {"accent": "#5636c9", "warning": "#8a5300", "error": "#b3152c", "success": "#176b34"}
"""The colours of our own themes. Those on dark also count until a theme is followed, and with one whose colours have
no name that rich knows."""

DARK_GROUND, LIGHT_GROUND = "#101418", "#fcfcfd"
"""Their backgrounds, where that of the terminal is not known."""

_DARK, _LIGHT = "#000000", "#ffffff"
_DIM_SHARE = 0.62  # of the colour of text; the rest is background
_SHARES = tuple(step / 20 for step in range(21))

READABLE = 4.5
"""The least contrast of words, by WCAG."""


class Ink:
    """The characters and styles to draw with on a terminal.

    Args:
        terminal: What the terminal can show.

    Attributes:
        beside_images: The style of lines beside images; None where the terminal's own colours stay, as the theme is
            as dark as the terminal.
    """

    def __init__(self, terminal: Terminal) -> None:
        self.colours = terminal.colours != "none" and not terminal.colourless
        self._few = terminal.colours == "16"
        self.unicode = terminal.unicode
        self.is_dark = True
        self._terminal_is_dark = terminal.background != "light"
        self.beside_images: Style | None = None
        self._by_role = dict(ON_DARK)
        self._ground: str | None = None
        self._dim = Style(dim=True)
        self._cursor = Style(reverse=True)
        self.dot = "·" if self.unicode else "."
        self.more = "…" if self.unicode else "~"
        self.flag = "⚑" if self.unicode else "!"
        self.skipped = "↷" if self.unicode else ">"
        self.noted = "✎" if self.unicode else '"'
        self.broken = "✗" if self.unicode else "x"
        self.gone = "∅" if self.unicode else "?"
        self.pointer = "▸" if self.unicode else ">"
        self.mark = "✓" if self.unicode else "*"
        self.separator = " · " if self.unicode else " | "

    def follow(self, variables: Mapping[str, str], *, is_dark: bool) -> None:
        """Use the colours of a theme from now on.

        Args:
            variables: Those of its CSS.
            is_dark: Whether its background is dark.
        """
        self.is_dark = is_dark
        self._by_role = {
            role: _rich_colour(variables.get(f"text-{role}", "")) or colour
            for role, colour in ON_DARK.items()
        }
        ground, text = (_rich_colour(variables.get(name, "")) for name in ("background", "foreground"))
        self._ground = ground if ground is not None and ground.startswith("#") else None
        if self._ground is None or text is None or not text.startswith("#"):
            self._dim, self.beside_images = Style(dim=True), None  # the terminal has the colours
        else:
            differs = is_dark != self._terminal_is_dark
            self.beside_images = style(fg=text, bg=self._ground) if differs else None
            surface = _rich_colour(variables.get("surface", "")) or self._ground
            self._dim = style(fg=readable(blend(self._ground, text, _DIM_SHARE), self._ground, surface))
        under = _rich_colour(variables.get("block-cursor-background", ""))
        front = _rich_colour(variables.get("block-cursor-foreground", ""))
        if under is None:
            self._cursor = Style(reverse=True)
        else:
            self._cursor = style(
                fg=front or (contrast(under) if under.startswith("#") else "default"), bg=under
            )

    def accent(self) -> Style:
        """The style of keys, of the focus and of other things that the eye should find first."""
        return self._role("accent")

    def bar(self) -> Style:
        """The style of bars and of curves in one line."""
        return Style(color=self.accent().color)

    def good(self) -> Style:
        """The style of what went well."""
        return self._role("success")

    def warning(self) -> Style:
        """The style of what needs a look."""
        return self._role("warning")

    def fault(self) -> Style:
        """The style of what is wrong."""
        return self._role("error")

    def title(self) -> Style:
        """The style of titles."""
        return Style(bold=True)

    def cursor(self) -> Style:
        """The style of the line under the cursor."""
        return self._cursor if self.colours else Style(reverse=True)

    def _role(self, role: str) -> Style:
        return style(fg=self._by_role[role], bold=True) if self.colours else Style(bold=True)

    def pattern(self, kind: str) -> str:
        """The characters that fill a side of a frame; left and right sides use the first one only."""
        if kind == "label":
            if self.colours:
                return " "  # the colour of the class is behind it
            return "█" if self.unicode else "#"
        if kind == "suggestion":
            return "━━ " if self.unicode else "== "
        return "·" if self.unicode else "."

    def frame(self, kind: str, colour: str | None) -> Style:
        """The style of a frame's sides."""
        if not self.colours:
            return Style(bold=kind == "label")
        if kind == "label":
            return style(bg=colour or _GREY)
        return style(fg=colour or _GREY)

    def words(self, kind: str, colour: str | None) -> Style:
        """The style of the words in a frame."""
        if not self.colours:
            return Style(reverse=kind == "label", bold=True)
        if kind == "label":
            return self._on(colour or _GREY)
        return style(fg=self.as_text(colour or _GREY), bold=kind == "suggestion")

    def as_text(self, colour: str) -> str:
        """A colour of a class or a curve, made darker or lighter until words in it can be read on the background."""
        return colour if self._ground is None else readable(colour, self._ground)

    def chip(self, colour: str, *, current: bool = False) -> Style:
        """The style of a class's key, in lists and in the class bar."""
        if not self.colours:
            return Style(reverse=True, bold=current, underline=current)
        return self._on(colour)

    def _on(self, colour: str) -> Style:
        """Words on a colour. With 16 colours, many terminals show bold black as grey."""
        front = contrast(colour)
        return style(fg=front, bg=colour, bold=not (self._few and front == _DARK))

    def dim(self) -> Style:
        """The style of what is read last."""
        return self._dim if self.colours else Style(dim=True)

    def width(self, text: str) -> int:
        """The width of a text in cells."""
        return cell_len(text)

    def fit(self, text: str, columns: int) -> str:
        """A printable text, with an ellipsis at its end if it is too wide."""
        text = self.shown(text)
        if cell_len(text) <= columns:
            return text
        return set_cell_size(text, max(0, columns - 1)) + self.more if columns > 0 else ""

    def fit_left(self, text: str, columns: int) -> str:
        """As `fit`, with the ellipsis at the beginning: the end of a path is the name of the file."""
        text = self.shown(text)
        if cell_len(text) <= columns:
            return text
        if columns <= 1:
            return self.more[:columns]
        kept = text[-(columns - 1) :]
        while cell_len(kept) > columns - 1:
            kept = kept[1:]
        return self.more + kept

    def pad(self, text: str, columns: int) -> str:
        """A text cut, or filled with spaces, to so many cells."""
        text = self.fit(text, columns)
        return text + " " * (columns - cell_len(text))

    def shown(self, text: str) -> str:
        """A name from a file or class, without control characters, as this terminal can show it."""
        text = printable(text)
        return text if self.unicode else text.encode("ascii", "replace").decode()

    def shown_lines(self, text: str) -> str:
        """As `shown`, for a text of several lines, whose newlines stay."""
        return "\n".join(map(self.shown, text.split("\n")))


@lru_cache(maxsize=1024)
def style(*, fg: str | None = None, bg: str | None = None, bold: bool = False) -> Style:
    """A style; cached, because parsing colours is slow."""
    return Style(
        color=None if fg is None else Color.parse(fg),
        bgcolor=None if bg is None else Color.parse(bg),
        bold=bold,
    )


def _rich_colour(variable: str) -> str | None:
    """The value of a CSS variable as rich has it; None if it is no colour of its own, as `auto 87%`."""
    if variable.startswith("ansi_"):
        return variable.removeprefix("ansi_").split()[0]
    return variable[:7] if variable.startswith("#") and len(variable) in (7, 9) else None


def contrast(colour: str) -> str:
    """Black or white, whichever is easier to read on a colour."""
    return _DARK if _luminance(colour) > 0.179 else _LIGHT


@lru_cache(maxsize=1024)
def readable(colour: str, *grounds: str) -> str:
    """A colour, blended with black or white until words in it can be read on these grounds (WCAG asks for 4.5)."""
    towards = contrast(grounds[0])
    for share in _SHARES:
        made = blend(colour, towards, share)
        if all(contrast_ratio(made, ground) >= READABLE for ground in grounds):
            break
    return made


def blend(colour: str, other: str, share: float) -> str:
    """A colour with a share of another one in it."""
    parts = ((int(colour[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in parts)


def contrast_ratio(one: str, other: str) -> float:
    """How well one colour is told from another, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """The relative luminance that WCAG defines."""
    red, green, blue = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)
