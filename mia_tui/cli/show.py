"""`mia-tui show`: print one image in the terminal."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.output.safe_stream import STDOUT
from mia_tui.cli.shared.options import Command, Option, graphics_option, path_argument
from mia_tui.errors import DataError
from mia_tui.text import printable

if TYPE_CHECKING:
    import numpy as np

    from mia_tui.dataset.images.facts import ImageFacts
    from mia_tui.dataset.images.source import Scene
    from mia_tui.terminal.model import Terminal

_PIPE_COLUMNS = 80
_MOST_CELLS = 290  # each way: kitty has signs for 297 rows and columns
_GUESSED_CELL_PX = 10, 20  # where there is no terminal to ask
_LINES_BELOW = 2  # the facts and the prompt


@click.command("show", cls=Command)
@path_argument("image")
@graphics_option
@click.option(
    "--frame",
    cls=Option,
    type=click.IntRange(min=0),
    default=0,
    help="Page or frame of a stack or animation, from 0.",
)
@click.option(
    "--channel",
    cls=Option,
    metavar="NAME",
    help="Show this channel alone, in grey: its name, or its number from 0; in a coloured picture red, green, blue.",
)
@click.option(
    "--width",
    "columns",
    cls=Option,
    type=click.IntRange(min=1, max=_MOST_CELLS),
    metavar="COLUMNS",
    help="Width of the image in columns; by default as many as fit.",
)
@click.option(
    "--max-megapixels",
    cls=Option,
    type=click.FloatRange(min=0.0, min_open=True),
    default=120.0,
    help="More is not read at once; of a pyramid or a tiled file only what is needed is read.",
)
def command(
    image: Path,
    graphics: str | None,
    frame: int,
    channel: str | None,
    columns: int | None,
    max_megapixels: float,
) -> None:
    """Print IMAGE in the terminal, and below it its size, bit depth, axes, channels and number of frames.

    It is drawn as the app shows it: upright, in 8 bits, several channels each in its colour. In a pipe it is drawn
    with grey characters; --graphics half writes coloured half blocks there, the others the sequences of their
    protocol.
    """
    from mia_tui.dataset.images.channels import ALL_CHANNELS, ChannelChoice
    from mia_tui.dataset.images.facts import read_facts
    from mia_tui.dataset.images.rendering import DisplaySettings, render_image

    report = Report()
    _check_file(image)
    facts = read_facts(image, frame, max_megapixels=max_megapixels)
    wanted = ALL_CHANNELS
    if channel is not None:
        wanted = ChannelChoice(alone=_channel_number(channel, facts.scene, image))
    terminal = _ask(graphics)
    if terminal.note:
        report.note(terminal.note)
    if terminal.graphics != "none":
        size = _cells(facts, terminal, columns)
        box = size[0] * terminal.cell_width_px, size[1] * terminal.cell_height_px
        shown = render_image(
            image, frame, box, DisplaySettings(channels=wanted), max_megapixels=max_megapixels
        )
        _draw(report, shown.pixels, size, terminal)
    report.say(_facts_sentence(image, facts, frame))


def _check_file(image: Path) -> None:
    from mia_tui.dataset.images.formats import is_folder_image_name

    if image.is_dir() and not is_folder_image_name(image.name):
        name = printable(image)
        raise DataError(
            f"{name} is a folder.", f"`mia-tui {shlex.quote(name)}` opens it; `mia-tui show` takes one image."
        )
    if not image.exists():
        raise DataError(f"There is no file {printable(image)}.", "Check how it is spelt.")


def _ask(graphics: str | None) -> "Terminal":
    """What the terminal can do and the user's settings allow; for a pipe what was asked for, or characters."""
    from mia_tui.terminal.model import Terminal

    if STDOUT.isatty():
        from mia_tui.cli.open import user_settings
        from mia_tui.terminal.ask import ask_terminal
        from mia_tui.terminal.choose import with_colours

        user = user_settings()
        environment = with_colours(os.environ, user.colours)
        return ask_terminal(graphics or user.graphics, environment=environment)  # type: ignore[arg-type]  # by click
    width, height = _GUESSED_CELL_PX
    wanted = graphics or "auto"
    return Terminal(
        graphics="half" if wanted == "auto" else wanted,  # type: ignore[arg-type]
        colours="none" if wanted == "auto" else "true",
        cell_width_px=width,
        cell_height_px=height,
        cell_known=False,
    )


def _draw(report: Report, pixels: "np.ndarray", size: tuple[int, int], terminal: "Terminal") -> None:
    from mia_tui.cli.output.pictures import draw

    text = draw(pixels, size, terminal)
    if STDOUT.isatty():
        STDOUT.write(text)
        STDOUT.flush()
    else:
        report.data().write(text)


def _channel_number(name: str, scene: "Scene", image: Path) -> int:
    """The number of a channel that was asked for by name or number."""
    from mia_tui.dataset.images.channels import channel_names

    known = channel_names(scene)
    for number, known_name in known.items():
        if name == str(number) or name.casefold() == known_name.casefold():
            return number
    those = "a single channel" if not known else f"the channels {', '.join(map(printable, known.values()))}"
    raise DataError(
        f"{printable(image.name)} has no channel {printable(name)}: it has {those}.",
        "Give a name, or a number from 0, or leave out --channel.",
    )


def _cells(facts: "ImageFacts", terminal: "Terminal", columns: int | None) -> tuple[int, int]:
    """Columns and rows of the image, in its proportions."""
    widest, most_rows = columns or _PIPE_COLUMNS, _MOST_CELLS
    screen = STDOUT.columns()
    if screen is not None:
        widest = min(columns or screen, screen, _MOST_CELLS)
        if columns is None or terminal.graphics != "half":  # text may scroll off the top, pixels may not
            most_rows = min(_screen_rows() - _LINES_BELOW, _MOST_CELLS)
    cell_width, cell_height = terminal.cell_width_px, terminal.cell_height_px
    scale = min(widest * cell_width / facts.width, max(1, most_rows) * cell_height / facts.height)
    across, down = facts.width * scale / cell_width, facts.height * scale / cell_height
    return min(widest, max(1, round(across))), min(max(1, most_rows), max(1, round(down)))


def _screen_rows() -> int:
    try:
        return os.get_terminal_size(STDOUT.fileno()).lines or 24
    except (OSError, ValueError):
        return 24


def _facts_sentence(image: Path, facts: "ImageFacts", frame: int) -> str:
    from mia_tui.dataset.images.facts import place_in_words

    text = f"{printable(image.name)}: {facts.in_words}"
    if facts.frames == 1:
        return text
    place = place_in_words(facts.scene, facts.place, facts.frames)
    return f"{text}; frame {frame} of {facts.frames:,}, counted from 0" + (f": {place}" if place else "")
