"""Names, colours and keys of classes: what is allowed, and the next free ones."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from mia_tui.dataset.model import ImageClass
from mia_tui.errors import DataError
from mia_tui.text import printable

# Okabe & Ito, "Color Universal Design", 2008, without black; then Paul Tol's "muted" scheme.
COLOURS = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#cc6677",
    "#332288", "#ddcc77", "#117733", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499",
)  # fmt: skip
KEYS = "1234567890abcdefghijklmnopqrstuvwxyz"
LONGEST_NAME = 10_000

_SHOWN = 40  # characters of a name that is too long

_COLOUR = re.compile("#[0-9a-f]{6}")


def class_name(text: str) -> str:
    """The name of a class as it is stored and compared.

    Spaces around it are removed, letters are composed (so that an umlaut is the same on a Mac), and characters that
    could control a terminal and bytes that are not UTF-8 are written as \\x1b.
    """
    return unicodedata.normalize("NFC", printable(text.strip()))


def free_colour(classes: Sequence[ImageClass]) -> str:
    """The first colour of the palette that no class has; if all are taken, it starts again."""
    return next(free_colours_and_keys(classes))[0]


def free_key(classes: Iterable[ImageClass]) -> str | None:
    """The first key that no class has; None if all are taken."""
    used = {other.key for other in classes}
    return next((key for key in KEYS if key not in used), None)


def free_colours_and_keys(classes: Sequence[ImageClass]) -> Iterator[tuple[str, str | None]]:
    """Colour and key for each further class, endlessly."""
    colours, keys = {other.colour for other in classes}, {other.key for other in classes}
    free_colours = iter([colour for colour in COLOURS if colour not in colours])
    free_keys = iter([key for key in KEYS if key not in keys])
    for number in count(len(classes)):
        yield next(free_colours, COLOURS[number % len(COLOURS)]), next(free_keys, None)


def check_class(name: str, colour: str, key: str | None, others: Iterable[ImageClass]) -> None:
    """Refuse an invalid class.

    Raises:
        DataError: If the name is empty or too long, the name or key is taken, or the colour or key is invalid.
    """
    if not name:
        raise DataError("A class needs a name.")
    if len(name) > LONGEST_NAME:
        raise DataError(
            f"The class {name[:_SHOWN]}… is {len(name):,} characters long.", "Choose a shorter name."
        )
    if not _COLOUR.fullmatch(colour):
        raise DataError(f"The colour {printable(colour)} of class {name} is invalid.", "Write it as #rrggbb.")
    if key is not None and (len(key) != 1 or not key.isprintable() or key.isspace()):
        raise DataError(f"The key {printable(key)!r} of class {name} is invalid.", "Use one character.")
    for other in others:
        if other.name == name and other.archived:
            raise DataError(f"There is an archived class {name}.", "Restore it, or choose another name.")
        if other.name == name:
            raise DataError(f"There is a class {name} already.", "Choose another name.")
        if key is not None and other.key == key:
            raise DataError(f"The key {key} belongs to class {other.name}.", "Choose another key.")
