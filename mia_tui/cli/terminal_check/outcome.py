"""From what a person sees of the test card to what they should set."""

from collections.abc import Mapping
from dataclasses import dataclass

from mia_tui.cli.terminal_check.questions import Topic
from mia_tui.config.user.settings import ColoursWish, GraphicsWish
from mia_tui.terminal.model import Terminal


@dataclass(frozen=True)
class Outcome:
    """What fits this terminal, as the settings are named in config.toml, and sentences about it."""

    graphics: GraphicsWish
    colours: ColoursWish
    sentences: tuple[str, ...]

    def changes(self, graphics: GraphicsWish, colours: ColoursWish) -> dict[str, str]:
        """The settings that differ from those in force."""
        fitting: dict[str, tuple[str, str]] = {
            "graphics": (self.graphics, graphics),
            "colours": (self.colours, colours),
        }
        return {name: wanted for name, (wanted, now) in fitting.items() if wanted != now}


def conclude(terminal: Terminal, wanted: GraphicsWish, answers: Mapping[Topic, int]) -> Outcome:
    """What to set.

    Args:
        terminal: What was found out, with colours and protocols as the terminal answered.
        wanted: The way to draw that was tried; auto for the one that is chosen anyway.
        answers: By topic, from 1; those that were not asked are missing.
    """
    sentences: list[str] = []
    colours = _colours(terminal, answers, sentences)
    graphics = _graphics(terminal, wanted, answers, sentences)
    if answers.get("signs", 1) > 1:
        sentences.append(
            "Signs need a font that has them and a UTF-8 locale (LANG=C.UTF-8); with LC_ALL=C the app uses letters."
        )
    return Outcome(graphics, colours, tuple(sentences))


def _graphics(
    terminal: Terminal, wanted: GraphicsWish, answers: Mapping[Topic, int], sentences: list[str]
) -> GraphicsWish:
    seen = answers.get("picture")
    half_works = answers.get("half", 1) == 1
    if seen == 1:
        return wanted
    if seen == 2:
        sentences.append(
            f"The terminal reports cells of {terminal.cell_width_px}x{terminal.cell_height_px} pixels, which does "
            "not fit what it draws; half blocks do not depend on it."
        )
    elif seen is not None:
        sentences.append(
            f"Pictures by {terminal.graphics} do not arrive on this terminal; --graphics tries another way."
        )
    elif terminal.hint:
        sentences.append(terminal.hint)
    if not half_works:
        sentences.append("Half blocks are not drawn right either: images cannot be shown on this terminal.")
        return "none"
    return "auto" if seen is None and wanted == "auto" else "half"


def _colours(terminal: Terminal, answers: Mapping[Topic, int], sentences: list[str]) -> ColoursWish:
    seen = answers.get("colours")
    if seen is None or terminal.colours == "none":
        return "auto"
    works: ColoursWish = ("true", "256", "16")[min(seen, 3) - 1]
    if works == terminal.colours:
        return "auto"
    sentences.append(f"The app would use {terminal.colours_in_words}; {_WORDS[works]} fit.")
    return works


_WORDS = {"true": "16 million colours", "256": "256 colours", "16": "16 colours"}
