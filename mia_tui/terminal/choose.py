"""From a terminal's answers and the environment to the protocol and colours that are used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mia_tui.terminal.answers import Answers
from mia_tui.terminal.model import Background, Colours, Graphics, Multiplexer, Terminal

if TYPE_CHECKING:  # imported only in tmux
    from mia_tui.terminal.tmux import Tmux

Wanted = Graphics | Literal["auto"]

_GUESSED_CELL_PX = (10, 20)
_SENSIBLE_CELL_PX = range(3, 200)
_LEAST_SIXEL_COLOURS = 8
_PIXELS: tuple[Graphics, ...] = ("kitty", "iterm2", "sixel")
_PASSTHROUGH = "set -g allow-passthrough on"
_VSCODE = "VS Code shows images in full with its setting terminal.integrated.enableImages."

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
    wanted: Wanted,
    answers: Answers,
    window: WindowSize | None,
    environment: Mapping[str, str],
    tmux: "Tmux | None" = None,
) -> Terminal:
    """What a terminal can do, and how pictures are shown on it.

    The user's wish decides wherever it is possible. Otherwise the best that the terminal is known to support: kitty,
    iTerm2's protocol, sixel if the size of cells is known, half blocks. NO_COLOR removes the colours of the
    interface; pictures are content and keep theirs, also as half blocks.

    Args:
        wanted: auto, or the way to show pictures.
        answers: What the terminal answered.
        window: Its size as the kernel knows it.
        environment: Of this process.
        tmux: What tmux says of the terminals around it; None if it could not be asked.
    """
    multiplexer = multiplexer_of(environment, answers.brand)
    cell, cell_known = _cell(answers, window)
    colours = _colours(answers, environment, multiplexer)
    case = _Case(answers, environment, multiplexer, cell_known, tmux, "none" if colours == "none" else "half")
    graphics, note = case.graphics_wanted(wanted) if wanted != "auto" else case.best_graphics()
    return Terminal(
        graphics=graphics,
        colours=colours,
        cell_width_px=cell[0],
        cell_height_px=cell[1],
        cell_known=cell_known,
        brand=answers.brand,
        multiplexer=multiplexer,
        around=tmux.names if tmux is not None and multiplexer == "tmux" else "",
        unicode=_has_unicode(environment),
        colourless=colours == "none" or bool(environment.get("NO_COLOR")),
        note=note,
        hint=case.hint() if graphics in ("half", "none") and wanted in ("auto", *_PIXELS) else None,
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
    if brand:  # screen reports none; the variables of a shell in tmux also reach a window opened from it
        return ""
    term = environment.get("TERM", "")
    if environment.get("STY"):
        return "screen"  # perhaps tmux in it or around it
    if environment.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if term.startswith("screen") else ""


@dataclass(frozen=True)
class _Case:
    """What is known of a terminal, to choose how it shows pictures."""

    answers: Answers
    environment: Mapping[str, str]
    multiplexer: Multiplexer
    cell_known: bool
    tmux: "Tmux | None"
    without_pixels: Graphics

    def graphics_wanted(self, wanted: Graphics) -> tuple[Graphics, str | None]:
        """What the user asked for, or what is possible instead and why."""
        if wanted not in _PIXELS:
            return wanted, None
        obstacle = self._obstacle(wanted)
        if obstacle is not None:
            return self.without_pixels, f"{obstacle} {_instead(self.without_pixels)}"
        if self.multiplexer == "tmux" and wanted == "kitty" and self.tmux is None:
            return wanted, f"Pictures pass through tmux only with '{_PASSTHROUGH}' in tmux.conf."
        return wanted, None

    def best_graphics(self) -> tuple[Graphics, str | None]:
        """The best that is known to work, and a sentence where something is missing that is usually there."""
        instead = _instead(self.without_pixels)
        if not self.answers.complete:
            return self.without_pixels, (
                f"The terminal did not say what it can show. {instead} --graphics chooses another way."
            )
        if self.multiplexer == "screen":
            return self.without_pixels, None
        if self.multiplexer == "tmux":
            return self._best_in_tmux(), None
        brand = self.answers.brand.lower()
        if brand.startswith(_ITERM2_BRANDS):
            return "iterm2", None  # also where kitty's is answered: fewer bytes, and their own
        if self.answers.kitty or brand.startswith(_KITTY_BRANDS):
            return "kitty", None
        if _knows_iterm2(self.answers, self.environment):
            return "iterm2", None
        if self.answers.sixel and self.cell_known:
            return "sixel", None
        if self.answers.sixel:
            return self.without_pixels, f"The terminal does not report the size of its characters. {instead}"
        return self.without_pixels, None

    def _best_in_tmux(self) -> Graphics:
        """tmux reports sixel wherever it was built with it, and writes SIXEL IMAGE on terminals without."""
        if self.tmux is None:
            return self.without_pixels
        if self.tmux.passes_through and self.tmux.draws_placeholders:
            return "kitty"
        shows_sixel = self.answers.sixel and self.cell_known and self.tmux.shows_sixel
        return "sixel" if shows_sixel else self.without_pixels

    def _obstacle(self, wanted: Graphics) -> str | None:
        """Why a protocol with pixels cannot be used, a sentence."""
        if self.multiplexer == "screen":
            return "GNU screen does not pass pictures on."
        in_tmux = self._obstacle_in_tmux(wanted) if self.multiplexer == "tmux" else None
        if in_tmux is None and wanted == "sixel" and not self.cell_known:
            return "Sixel pictures need the size of a cell in pixels, which this terminal does not tell."
        return in_tmux

    def _obstacle_in_tmux(self, wanted: Graphics) -> str | None:
        if wanted == "iterm2":
            return "tmux does not pass pictures of iTerm2's protocol on."
        if wanted == "sixel" and not self.answers.sixel:
            return (
                "This tmux does not show sixel pictures: that takes tmux 3.4 and a terminal that shows them."
            )
        if self.tmux is None:
            return None
        if wanted == "sixel" and not self.tmux.shows_sixel:
            return "The terminal around tmux does not show sixel pictures."
        if wanted == "kitty" and not self.tmux.passes_through:
            return f"tmux does not pass pictures on: that takes '{_PASSTHROUGH}' in tmux.conf."
        return None

    def hint(self) -> str:
        """How this person would see images in full, a sentence."""
        if self.multiplexer == "screen":
            return "GNU screen passes no pictures on; outside of it, or in tmux, they may be shown in full."
        if self.multiplexer == "tmux":
            return self._hint_in_tmux()
        brand = self.answers.brand.lower()
        if brand.startswith("xterm.js") or self.environment.get("TERM_PROGRAM") == "vscode":
            return _VSCODE
        if brand.startswith("xterm("):
            return "xterm shows images in full if it is started as: xterm -ti vt340"
        if self.environment.get("WT_SESSION"):
            return "Windows Terminal shows images in full from version 1.22 on."
        return "`mia-tui help terminals` lists the terminals that show them in full."

    def _hint_in_tmux(self) -> str:
        if self.tmux is None:
            return (
                "tmux runs on another computer, so what the terminal around it can show is not known here; if it can "
                f"show images, set graphics to kitty (with '{_PASSTHROUGH}' in tmux.conf there) or to sixel."
            )
        if not self.tmux.clients:
            return "tmux is not attached to a terminal now."
        if self.tmux.draws_placeholders:
            return (
                f"For images in full, put '{_PASSTHROUGH}' into tmux.conf, or for this pane run: "
                "tmux set -p allow-passthrough on"
            )
        if (
            any(client.brand.lower().startswith("xterm.js") for client in self.tmux.clients)
            and self.answers.sixel
        ):
            return _VSCODE
        if not self.answers.sixel:
            return "For images in full, tmux must be 3.4 or newer and built with sixel; outside of tmux they may be."
        return "The terminal around tmux shows no sixel pictures."


def _instead(graphics: Graphics) -> str:
    return "Images are shown in half blocks." if graphics == "half" else "Images are not shown."


def _knows_iterm2(answers: Answers, environment: Mapping[str, str]) -> bool:
    """Whether a terminal knows iTerm2's protocol, where it does not name one that is known for it."""
    if answers.brand:
        # VS Code, and others made of xterm.js, report sixel only where images are switched on
        return answers.brand.lower().startswith("xterm.js") and answers.sixel
    program = environment.get("TERM_PROGRAM", "").lower()
    if program == "vscode":
        return answers.sixel
    if program in _ITERM2_PROGRAMS:
        return True
    # The one variable that ssh sends along; so does mosh, which passes no pictures on and reports no sizes in pixels.
    has_sizes = answers.cell_px is not None or answers.screen_px is not None
    return has_sizes and environment.get("LC_TERMINAL", "").lower() in _ITERM2_PROGRAMS


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
    """Whether text stands on dark or light: what the terminal answers, else what the environment says."""
    if answers.background is not None:
        red, green, blue = answers.background
        return "light" if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else "dark"
    return background_told(environment)


def background_told(environment: Mapping[str, str]) -> Background:
    """What the environment says of it: COLORFGBG, as rxvt and Konsole set it."""
    last = environment.get("COLORFGBG", "").rpartition(";")[2]  # "0;15", or "0;default;15"
    if last.isdecimal() and int(last) < 16:
        return "light" if int(last) in (7, *range(9, 16)) else "dark"
    return "dark" if environment.get("TERM") == "linux" else ""


def _has_unicode(environment: Mapping[str, str]) -> bool:
    """By the locale, in the order that the C library uses. Without any locale: recent terminals have it."""
    names = (environment.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next((name for name in names if name), "utf8")
    return "utf8" in locale.lower().replace("-", "")
