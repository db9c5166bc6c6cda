"""From a terminal's answers and the environment to the protocol and colours that are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mia_tui.terminal.answers import Answers
from mia_tui.terminal.model import Background, Colours, Graphics, Multiplexer, Terminal

Wanted = Graphics | Literal["auto"]

_GUESSED_CELL_PX = (10, 20)
_SENSIBLE_CELL_PX = range(3, 200)
_LEAST_SIXEL_COLOURS = 8

# XTVERSION starts so, case ignored; environment variables do not survive ssh, except LC_TERMINAL.
_ITERM2_BRANDS = ("iterm2", "wezterm", "mintty")
_ITERM2_PROGRAMS = ("iterm.app", "iterm2", "wezterm", "mintty")
_KITTY_BRANDS = ("kitty", "ghostty")
_COLOUR_SYSTEMS: dict[str, Colours] = {"truecolor": "true", "256": "256", "standard": "16"}


def with_colours(environment: Mapping[str, str], wanted: Literal["auto"] | Colours) -> dict[str, str]:
    """The environment that makes a terminal use these colours, whatever it answers; unchanged for auto.

    With none, pictures keep the terminal's colours.
    """
    if wanted == "auto":
        return dict(environment)
    if wanted == "none":
        return {**environment, "NO_COLOR": "1"}
    [system] = [name for name, colours in _COLOUR_SYSTEMS.items() if colours == wanted]
    others = {name: value for name, value in environment.items() if name != "NO_COLOR"}
    return {**others, "TEXTUAL_COLOR_SYSTEM": system}


@dataclass(frozen=True)
class WindowSize:
    """The size of a terminal's window as the kernel knows it (TIOCGWINSZ); pixels are 0 if unknown."""

    columns: int
    rows: int
    width_px: int
    height_px: int


def choose_terminal(
    wanted: Wanted, answers: Answers, window: WindowSize | None, environment: Mapping[str, str]
) -> Terminal:
    """What a terminal can do, and how pictures are shown on it.

    The user's wish decides wherever it is possible. Otherwise the best that the terminal is known to support: kitty,
    iTerm2's protocol, sixel if the size of cells is known, half blocks. NO_COLOR removes the colours of the
    interface; pictures are content and keep theirs, also as half blocks.
    """
    multiplexer = multiplexer_of(environment, answers.brand)
    cell, cell_known = _cell(answers, window)
    colours = _colours(answers, environment, multiplexer)
    graphics, note = _graphics(wanted, answers, environment, multiplexer, colours, cell_known)
    return Terminal(
        graphics=graphics,
        colours=colours,
        cell_width_px=cell[0],
        cell_height_px=cell[1],
        cell_known=cell_known,
        brand=answers.brand,
        multiplexer=multiplexer,
        unicode=_has_unicode(environment),
        colourless=colours == "none" or bool(environment.get("NO_COLOR")),
        note=note,
        answered=answers.complete,
        background=_background(answers, environment),
        background_rgb=answers.background,
        sixel_colours=max(_LEAST_SIXEL_COLOURS, min(256, answers.sixel_colours or 256)),
        sixel_max_px=answers.sixel_max_px,
    )


def multiplexer_of(environment: Mapping[str, str], brand: str = "") -> Multiplexer:
    """Whether tmux or GNU screen runs inside the terminal; in doubt screen, which can do less."""
    if brand.lower().startswith("tmux"):
        return "tmux"
    if (
        brand
    ):  # GNU screen reports no brand; the variables of a shell in tmux also reach a window opened from it
        return ""
    term = environment.get("TERM", "")
    if environment.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if environment.get("STY") or term.startswith("screen") else ""


def _graphics(
    wanted: Wanted,
    answers: Answers,
    environment: Mapping[str, str],
    multiplexer: Multiplexer,
    colours: Colours,
    cell_known: bool,
) -> tuple[Graphics, str | None]:
    without_pixels: Graphics = "none" if colours == "none" else "half"
    if wanted == "none":
        return "none", None
    if wanted == "half":
        return "half", None
    if wanted != "auto":
        obstacle = _obstacle(wanted, answers, multiplexer, cell_known)
        if obstacle is not None:
            return without_pixels, f"{obstacle} {_instead(without_pixels)}"
        if multiplexer == "tmux" and wanted == "kitty":
            return wanted, "Pictures pass through tmux only with 'set -g allow-passthrough on' in tmux.conf."
        return wanted, None
    if not answers.complete:
        return without_pixels, (
            f"The terminal did not say what it can show. {_instead(without_pixels)} --graphics chooses another way."
        )
    if not multiplexer:
        if answers.kitty or answers.brand.lower().startswith(_KITTY_BRANDS):
            return "kitty", None
        if _knows_iterm2(answers, environment):
            return "iterm2", None
    if answers.sixel and multiplexer != "screen":
        if cell_known:
            return "sixel", None
        return (
            without_pixels,
            f"The terminal does not report the size of its characters. {_instead(without_pixels)}",
        )
    return without_pixels, None


def _obstacle(wanted: Graphics, answers: Answers, multiplexer: Multiplexer, cell_known: bool) -> str | None:
    """Why a protocol with pixels cannot be used, a sentence."""
    if multiplexer == "screen":
        return "GNU screen does not pass pictures on."
    if multiplexer == "tmux" and wanted == "iterm2":
        return "tmux does not pass pictures of iTerm2's protocol on."
    if multiplexer == "tmux" and wanted == "sixel" and not answers.sixel:
        return "This tmux does not show sixel pictures: that takes tmux 3.4 and a terminal that shows them."
    if wanted == "sixel" and not cell_known:
        return "Sixel pictures need the size of a cell in pixels, which this terminal does not tell."
    return None


def _instead(graphics: Graphics) -> str:
    return "Images are shown in half blocks." if graphics == "half" else "Images are not shown."


def _knows_iterm2(answers: Answers, environment: Mapping[str, str]) -> bool:
    if answers.brand:  # more reliable than variables, which may come from another terminal
        if answers.brand.lower().startswith("xterm.js"):
            return answers.sixel  # VS Code says so only where images are switched on
        return answers.brand.lower().startswith(_ITERM2_BRANDS)
    program = environment.get("TERM_PROGRAM", "").lower()
    if program == "vscode":
        return answers.sixel
    return program in _ITERM2_PROGRAMS or environment.get("LC_TERMINAL", "").lower() in _ITERM2_PROGRAMS


def _cell(answers: Answers, window: WindowSize | None) -> tuple[tuple[int, int], bool]:
    """Width and height of a cell in pixels, and whether they are more than a guess."""
    found = [answers.cell_px]  # first: the kernel's figures are wrong over some ssh servers
    if window is not None and window.columns > 0 and window.rows > 0:
        found.append((window.width_px // window.columns, window.height_px // window.rows))
        if answers.screen_px is not None:
            found.append((answers.screen_px[0] // window.columns, answers.screen_px[1] // window.rows))
    for size in found:
        if size is not None and size[0] in _SENSIBLE_CELL_PX and size[1] in _SENSIBLE_CELL_PX:
            return size, True
    return _GUESSED_CELL_PX, False


def _colours(answers: Answers, environment: Mapping[str, str], multiplexer: Multiplexer) -> Colours:
    term = environment.get("TERM", "")
    if term == "dumb":
        return "none"
    chosen = _COLOUR_SYSTEMS.get(environment.get("TEXTUAL_COLOR_SYSTEM", ""))
    if chosen is not None:
        return chosen
    if multiplexer == "screen":
        return "256"  # up to version 4; the variables below are those of the terminal around it
    if term == "linux":
        return "16"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "true"
    # tmux converts colours to what its terminal has. A terminal that reports its brand, or shows pictures, is recent.
    if multiplexer == "tmux" or answers.true_colour or answers.kitty or answers.brand:
        return "true"
    return "256" if "256color" in term else "16"


def _background(answers: Answers, environment: Mapping[str, str]) -> Background:
    """Whether text stands on dark or light: what the terminal answers, else COLORFGBG, as rxvt and Konsole set it."""
    if answers.background is not None:
        red, green, blue = answers.background
        return "light" if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else "dark"
    last = environment.get("COLORFGBG", "").rpartition(";")[2]  # "0;15", or "0;default;15"
    if last.isdecimal() and int(last) < 16:
        return "light" if int(last) in (7, *range(9, 16)) else "dark"
    return "dark" if environment.get("TERM") == "linux" else ""


def _has_unicode(environment: Mapping[str, str]) -> bool:
    """By the locale, in the order that the C library uses. Without any locale: recent terminals have it."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "utf8")
    return "utf8" in locale.lower().replace("-", "")
