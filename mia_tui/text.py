"""Text helpers: for sentences that users read, and for names that are written into files.

    printable typed                       a name in a sentence, a path in a command
    counted name_some join_names          `3 images`, `a.png, b.png and 3 more`, `a, b and c`
    did_you_mean                          `Did you mean a or b?`
    when duration size_words shorten scientific percent      a time, 1:02:03, `3 MB`, a short figure, 1e-5, 97%
    has_words                             whether a text is found by some words
    fault_of name_faults                  `a.png is cut short; b.png is empty`
    markdown_text yaml_text               names in Markdown and YAML
    encode_name encode_class encode_cell encode_controls decode_name      names in JSON, CSV and tables

Names of files and classes may come from other people, so they may contain control characters. They reach a terminal,
a table or a sentence only through these functions, which make such characters visible.
"""

import math
import re
import shlex
import time
from collections.abc import Iterable

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\uffff\U000e0000-\U000e0fff\U0010eeee]"
)


def printable(text: object) -> str:
    """A name as one harmless line: control and direction characters become \\x1b, \\u202e."""
    return _CONTROL.sub(_escape, str(text))


def first_line(error: object) -> str:
    """The first line of an error, printable: those of CUDA have many."""
    return printable(next(iter(str(error).strip().splitlines()), "no reason given"))


def typed(path: object) -> str:
    """A path as it is typed into a shell, for commands in sentences."""
    return shlex.quote(printable(path))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode gives it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def encode_name(path: str) -> str:
    """A path for JSON and CSV: bytes that are not UTF-8 become %XX, % becomes %25."""
    return "".join(
        "%25" if c == "%" else f"%{ord(c) - 0xDC00:02X}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in path
    )


def encode_class(name: str) -> str:
    """The name of a class for a CSV file: as `encode_name`, but % only if it would be read as %XX."""
    return _AMBIGUOUS.sub(lambda match: encode_name(match.group()), name)


def encode_cell(text: str) -> str:
    """A name, encoded by `encode_name` or `encode_class`, for a table that other programs open: no program runs it.

    Control characters are written %XX, and so are characters that would make the cell a formula in a spreadsheet:
    = + - @ (also the wide ones) at its start, or after a separator at which a spreadsheet may split it. Numbers and
    single signs stay as they are. `decode_name` undoes it.
    """
    text = encode_controls(text)
    return text if _NUMBER.fullmatch(text) else _FORMULA.sub(_percent, text)


def encode_controls(text: str) -> str:
    """As `encode_cell`, but only control characters, for files that no spreadsheet opens."""
    return _CONTROL_BYTES.sub(_percent, text)


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


_AMBIGUOUS = re.compile("%(?=[0-9A-Fa-f]{2})|[\udc80-\udcff]")
_CONTROL_BYTES = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # a newline is in quotes
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")
_FORMULA = re.compile(r"(?:(?<![^;,|\n])|(?<=[;,|\n] )|(?<=^ ))[=+\-@\uff1d\uff0b\uff0d\uff20](?=.)")


def decode_name(text: str) -> str:
    """The inverse of `encode_name`."""
    if "%" not in text:
        return text
    raw = re.sub(
        rb"%(?!00)([0-9A-Fa-f]{2})",  # no file name contains a zero byte
        lambda m: bytes([int(m.group(1), 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "surrogateescape")


def markdown_text(text: object) -> str:
    """A name or a sentence as text of Markdown, which is also plain where HTML is allowed.

    Nothing is escaped that Markdown takes as it is, since people also read the file itself.
    """
    plain = _MARKDOWN.sub(r"\\\g<0>", printable(text))
    return "".join(_HTML.get(character, character) for character in plain)


def yaml_text(text: object) -> str:
    """A name as a string of YAML: in double quotes, as JSON has it, in one line."""
    import json  # what every command imports needs it seldom

    return json.dumps(printable(text), ensure_ascii=False)


# anywhere; where a line begins (headings, lists); in addresses, of which GitHub makes links
_MARKDOWN = re.compile(
    r"[$*@\[\\\]_`{|}~]|^[-+#=]|(?<=^\d)[.)](?=\s)|(?<=^\d\d)[.)](?=\s)|:(?=//)|(?<=www)\.", re.IGNORECASE
)
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

NAMED = 5  # of many files, only so many are named in a sentence


def name_some(names: Iterable[object], limit: int = NAMED) -> str:
    """`a.png, b.png and 3 more`: the first of many names, made printable."""
    shown = [printable(name) for name in names]
    hidden = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {hidden:,} more" if hidden > 0 else "")


def join_names(names: Iterable[str], conjunction: str = "and") -> str:
    """`a, b and c`: all of some names, at least one."""
    *most, last = names
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def did_you_mean(names: Iterable[str], conjunction: str = "or") -> str:
    """`Did you mean a or b?`, for a name that does not exist; empty if no other name is like it."""
    near = f" {conjunction} ".join(map(printable, names))
    return f"Did you mean {near}?" if near else ""


def fault_of(path: str, reason: str) -> str:
    """`a/b.tif is cut short`: why a file cannot be used, with its path once and without a full stop.

    Args:
        path: Its path in the dataset.
        reason: A sentence, which usually begins with the file's name, as those of `decode` do.
    """
    path, reason = printable(path), printable(reason).removesuffix(".")
    name = path.rpartition("/")[2]
    return path + reason.removeprefix(name) if reason.startswith(f"{name} ") else f"{path} ({reason})"


def name_faults(faults: Iterable[str], total: int) -> str:
    """`a.tif is cut short; b.tif is empty; and 3 more`: the first texts of `fault_of`, of `total` in all."""
    shown = list(faults)
    more = total - len(shown)
    return "; ".join([*shown, *([f"and {more:,} more"] if more > 0 else [])])


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def duration(seconds: float) -> str:
    """`1:02:03`, or `2:03` below an hour."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float) -> str:
    """A share of something: never 100% where a part is missing, never 0% where there is some."""
    if 0 < share < 0.005:
        return "<1%"
    return "99%" if 0.995 <= share < 1 else f"{share:.0%}"


def has_words(text: str, words: str) -> bool:
    """Whether a text holds all of some words, or parts of words, in upper or lower case and any order."""
    text = text.casefold()
    return all(word in text for word in words.casefold().split())


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


def size_words(count: int) -> str:
    """A number of bytes with its unit."""
    for unit, bytes_each in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_each:
            return f"{count / bytes_each:.3g} {unit}"
    return f"{count} B"


def shorten(value: float) -> str:
    """A figure with four significant digits, or two where only a power of ten makes it short."""
    if not math.isfinite(value):
        return str(value)
    if value and not 1e-4 <= abs(value) < 1e5:
        return scientific(value, 2)
    return f"{value:.4g}"


def scientific(value: float, digits: int) -> str:
    """A figure with so many digits and a power of ten: 1e-5, not 1e-05."""
    number, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{number}e{int(power)}"
