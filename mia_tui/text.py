"""Text for people and for files: names made inert, counts, lists of names.

What files are called comes from strangers; it reaches a terminal, a table or a sentence by way of these functions.
"""

import re
import shlex
import time
from collections.abc import Iterable

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\uffff\U000e0000-\U000e0fff\U0010eeee]"
)


def printable(text: object) -> str:
    """A name from a file or class as one inert line: control and direction characters become \\x1b, \\u202e."""
    return _CONTROL.sub(_escape, str(text))


def typed(path: object) -> str:
    """A path as it is typed into a shell, for the commands that sentences name."""
    return shlex.quote(printable(path))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode gives it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def encode_name(path: str) -> str:
    """A path as JSON and CSV hold it: bytes that are not UTF-8 as %XX, % as %25."""
    return "".join(
        "%25" if c == "%" else f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in path
    )


def encode_class(name: str) -> str:
    """The name of a class for a CSV file: as `encode_name`, but % only where %XX would be read there."""
    return _UNLIKE_ITSELF.sub(lambda match: encode_name(match.group()), name)


def encode_cell(text: str) -> str:
    """A name, in the form of `encode_name` or `encode_class`, for a table that leaves: it steers no program.

    Control characters are written %XX, and so is what makes a formula of a cell in a spreadsheet: = + - @ (also the
    wide ones) at its beginning, or behind a separator that a spreadsheet may split it at. Numbers stay as they are,
    and so does a sign that stands alone. `decode_name` undoes it.
    """
    text = encode_controls(text)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(_percent, text)


def encode_controls(text: str) -> str:
    """As `encode_cell`, for files that no spreadsheet opens: control characters alone."""
    return _STEERING.sub(_percent, text)


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


_UNLIKE_ITSELF = re.compile("%(?=[0-9A-Fa-f]{2})|[\udc80-\udcff]")
_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # a newline stands in quotes
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")
_FORMULA = re.compile(r"(?:(?<![^;,|\n])|(?<=[;,|\n] )|(?<=^ ))[=+\-@\uff1d\uff0b\uff0d\uff20](?=.)")


def decode_name(text: str) -> str:
    """The inverse of `encode_name`."""
    if "%" not in text:
        return text
    raw = re.sub(
        rb"%(?!00)([0-9A-Fa-f]{2})",  # no name holds a zero byte, and the system takes none
        lambda m: bytes([int(m.group(1), 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "surrogateescape")


NAMED = 5  # of many files, so many are named


def name_some(names: Iterable[object], limit: int = NAMED) -> str:
    """`a.png, b.png and 3 more`: the first names of many, made inert for a terminal."""
    shown = [printable(name) for name in names]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest:,} more" if rest > 0 else "")


def fault_of(path: str, reason: str) -> str:
    """`a/b.tif is cut short`: why a file cannot be used, its path said once and no full stop behind.

    Args:
        path: Its path in the dataset.
        reason: A sentence, which mostly begins with the file's name, as those of `decode` do.
    """
    path, reason = printable(path), printable(reason).removesuffix(".")
    name = path.rpartition("/")[2]
    return path + reason.removeprefix(name) if reason.startswith(f"{name} ") else f"{path} ({reason})"


def name_faults(faults: Iterable[str], total: int) -> str:
    """`a.tif is cut short; b.tif is empty; and 3 more`: the first of `fault_of`, of so many in total."""
    said = list(faults)
    more = total - len(said)
    return "; ".join([*said, *([f"and {more:,} more"] if more > 0 else [])])


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def when(t: float) -> str:
    """Month and day with the time; of another year the date alone. Empty where unknown."""
    if not t:
        return ""
    try:
        then = time.localtime(t)
    except (OverflowError, OSError, ValueError):  # a wrong clock, or a damaged file
        return ""
    is_this_year = then.tm_year == time.localtime().tm_year
    return time.strftime("%d %b %H:%M" if is_this_year else "%Y-%m-%d", then)
