"""The colours of the app: two themes of its own, and all of Textual's.

Which one is used: the user's `theme` in config.toml; else the last one that was chosen in the palette; else the one
of our own that matches the terminal's background. Ours take over that background as it is, so that there is no edge
between the app's background and that of the terminal, which stays beside images. Colours of classes belong to no
theme.
"""

from collections.abc import Mapping

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from mia_tui.terminal.model import Terminal
from mia_tui.tui.widgets.ink import (
    DARK_GROUND,
    LIGHT_GROUND,
    ON_DARK,
    ON_LIGHT,
    READABLE,
    contrast,
    contrast_ratio,
    readable,
)

DARK, LIGHT = "mia-dark", "mia-light"

_SURFACE_SHARE, _PANEL_SHARE, _LINE_SHARE = 0.05, 0.10, 0.28  # of the foreground
_WORDS = ("text-accent", "text-warning", "text-error", "text-success")


def own_themes(background_rgb: tuple[int, int, int] | None = None) -> tuple[Theme, Theme]:
    """The dark and the light theme.

    Args:
        background_rgb: The terminal's own background, which the theme that is as dark takes over; None if unknown.
    """
    known = None if background_rgb is None else Color(*background_rgb)
    is_dark = known is not None and known.brightness < 0.5
    return (
        _own(
            DARK,
            background=known if known is not None and is_dark else Color.parse(DARK_GROUND),
            foreground="#dfe5ec",
            colours=ON_DARK,
        ),
        _own(
            LIGHT,
            background=known if known is not None and not is_dark else Color.parse(LIGHT_GROUND),
            foreground="#1d222a",
            colours=ON_LIGHT,
        ),
    )


def default_theme(terminal: Terminal) -> str:
    """The name of the theme that suits a terminal: by its background; of its own 16 colours if it shows no others."""
    is_light = terminal.background == "light"
    if terminal.colourless or terminal.colours in ("16", "none"):
        return "ansi-light" if is_light else "ansi-dark"
    return LIGHT if is_light else DARK


def theme_names() -> tuple[str, ...]:
    """The names of all themes, ours first."""
    return (DARK, LIGHT, *BUILTIN_THEMES)


def readable_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a theme's CSS that stand for words which could hardly be read, mended.

    Many of Textual's themes have an accent or a cursor with a contrast of 2 or 3.
    """
    mended = {}
    grounds = [variables[name][:7] for name in ("background", "surface") if _is_hex(variables.get(name, ""))]
    if len(grounds) == 2:
        mended = {
            name: readable(variables[name][:7], *grounds)
            for name in _WORDS
            if _is_hex(variables.get(name, ""))
        }
    under, front = (variables.get(f"block-cursor-{part}", "") for part in ("background", "foreground"))
    if _is_hex(under) and not (_is_hex(front) and contrast_ratio(front[:7], under[:7]) >= READABLE):
        mended["block-cursor-foreground"] = contrast(under[:7])
    return mended


def _is_hex(variable: str) -> bool:
    return variable.startswith("#") and len(variable) in (7, 9)


def _own(name: str, *, background: Color, foreground: str, colours: Mapping[str, str]) -> Theme:
    accent, front = colours["accent"], Color.parse(foreground)
    line = background.blend(front, _LINE_SHARE, alpha=1.0).hex
    surface = background.blend(front, _SURFACE_SHARE, alpha=1.0).hex
    return Theme(
        name,
        primary=accent,
        secondary=accent,
        accent=accent,
        warning=colours["warning"],
        error=colours["error"],
        success=colours["success"],
        foreground=foreground,
        background=background.hex,
        surface=surface,
        panel=background.blend(front, _PANEL_SHARE, alpha=1.0).hex,
        dark=name == DARK,
        variables={
            **{f"text-{role}": colour for role, colour in colours.items()},
            "footer-key-foreground": accent,
            "scrollbar": line,
            "scrollbar-hover": accent,
            "scrollbar-active": accent,
            "scrollbar-background": surface,
            "scrollbar-background-hover": surface,
            "scrollbar-background-active": surface,
        },
    )
