"""From the bytes that a terminal sends to Textual's events, whatever the bytes are.

Textual's own reader ends the app at a byte that is not UTF-8, and reads an unknown escape sequence as single keys:
a late answer of the terminal, an incomplete mouse report or the colours in a pasted text would label images. Here
bytes are first cut into characters, sequences and pastes. Bytes that are not UTF-8 are skipped, as are sequences that
are unknown, incomplete or too long. Textual's parser translates everything else.
"""

import os
import re
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator

from textual import events
from textual.message import Message

from mia_tui.terminal.kitty import missing_number
from mia_tui.tui.textual_private import SequenceParser

_PASTE, _PASTE_END = b"\x1b[200~", b"\x1b[201~"

# All that begins with Esc. CSI: F1 to F5 of the Linux console, a mouse report of old, rxvt's F keys with Shift, any
# other; SS3; answers (OSC, DCS, APC); a character with Alt. A wrong byte inside belongs to it: what follows, such as
# the numbers of a mouse report, is no key.
_WHOLE = re.compile(
    rb"\x1b(?:\[(?:\[[ -~]|M[^\x1b]{3}|\d+\$|[@-LN-Z\\-~]|[ -?][^\x1b@-~]*[@-~])"
    rb"|O[ -~]|[]P_][^\x07\x1b]*(?:\x07|\x1b\\)"
    rb"|[^\x1b[O\]P_\x80-\xff]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
)
# The beginning of one.
_BEGUN = re.compile(
    rb"\x1b(?:\[(?:\[|M[^\x1b]{0,2}|[ -?][^\x1b@-~]*)?|O|[]P_][^\x07\x1b]*\x1b?"
    rb"|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})?\Z"
)
# What cannot become one any more, up to the byte that shows it.
_TORN = re.compile(rb"\x1b(?:\[(?:\[|M[^\x1b]*|[ -?][^\x1b@-~]*)?|O|[]P_][^\x07\x1b]*|[\x80-\xff])?")

_LARGEST_WINDOW = 10_000  # pixels, or cells: larger numbers are noise, and would take all memory
_LONGEST = 31  # the parser reads a longer sequence as keys
_KEPT = 64  # of a sequence that has not ended
# The rest of a sequence, whose Esc was taken for the key.
_TAIL = re.compile(rb"\[[ -?]*[@-~]|O[A-DFHP-S]")

ESCAPE_S = float(os.environ.get("ESCDELAY", "")) / 1000 if os.environ.get("ESCDELAY", "").isdigit() else 0.05
"""So long after Esc nothing may follow, if it is to be the key and not the beginning of a sequence."""
_REST_S = 1.0
"""How late the rest of a sequence may come on a slow line; Esc alone, or with one more byte, becomes a key sooner."""
_TAIL_S = 0.5
"""How late the rest of a sequence may come whose Esc became a key; later it is text that somebody types."""
_PASTE_REST_S = 5.0
"""A paste that has been silent for so long has lost its end; until then no key counts."""
_LONGEST_PASTE = 1 << 20


class PictureMissing(Message):
    """kitty was told to show a picture whose number it does not have."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Keyboard:
    """Turns bytes into events, as they come; no bytes are an error."""

    def __init__(self) -> None:
        self._parser = SequenceParser()
        self._decode = getincrementaldecoder("utf-8")("ignore").decode
        self._waiting = b""  # a sequence that has begun, or what may be the end of a paste
        self._pasted: bytearray | None = None
        self._heard_at = time.monotonic()
        self._escaped_at: float | None = None  # when Esc became a key because nothing had followed it

    def feed(self, data: bytes) -> Iterator[Message]:
        """Events of the next bytes."""
        self._heard_at = time.monotonic()
        tail = _TAIL.match(data) if self._may_be_tail else None
        self._escaped_at = None
        data, self._waiting = self._waiting + data, b""
        place = 0 if tail is None else tail.end()
        while place < len(data):
            if self._pasted is not None:
                found, place = self._paste_on(data, place)
            elif data[place] != 0x1B:
                end = data.find(b"\x1b", place)
                end = len(data) if end < 0 else end
                found, place = self._parse(self._decode(data[place:end])), end
            elif whole := _WHOLE.match(data, place):
                found, place = self._sequence(whole[0]), whole.end()
            elif _BEGUN.match(data, place):
                self._waiting = data[place : place + _KEPT]
                if data.endswith(b"\x1b") and not self._waiting.endswith(b"\x1b"):
                    self._waiting += b"\x1b"  # the end of a string that is too long, perhaps
                return
            else:
                torn = _TORN.match(data, place)
                assert torn is not None, "it begins with Esc"
                found, place = self._keys(torn[0]) if torn[0] == b"\x1b" else [], torn.end()
            yield from found

    def rest(self) -> Iterator[Message]:
        """Events of a sequence that nothing has followed for a while; to be called while no bytes come."""
        silent_s = time.monotonic() - self._heard_at
        if self._pasted is not None:
            if silent_s > _PASTE_REST_S:
                self._pasted, self._waiting = None, b""
        elif self._waiting and silent_s >= self._patience_s:
            begun, self._waiting = self._waiting, b""
            if len(begun) <= 2 and begun.isascii():
                self._escaped_at = time.monotonic() if begun == b"\x1b" else None
                yield from self._keys(begun)

    @property
    def due_in_s(self) -> float | None:
        """In how many seconds `rest` has something to say, if nothing comes; None if never."""
        if self._pasted is not None or not self._waiting:
            return None
        return max(0.0, self._heard_at + self._patience_s - time.monotonic())

    @property
    def _patience_s(self) -> float:
        return _REST_S if len(self._waiting) > 2 else ESCAPE_S

    @property
    def _may_be_tail(self) -> bool:
        """Whether an Esc that became a key may have been the beginning of a sequence, on a slow line."""
        return self._escaped_at is not None and time.monotonic() - self._escaped_at < _TAIL_S

    def _paste_on(self, data: bytes, place: int) -> tuple[list[Message], int]:
        """The text of a paste, up to its end or as far as it has arrived."""
        assert self._pasted is not None
        end = data.find(_PASTE_END, place)
        upto = end if end >= 0 else max(place, len(data) - len(_PASTE_END) + 1)
        room = max(0, _LONGEST_PASTE - len(self._pasted))
        self._pasted += data[place:upto][:room]
        if end < 0:
            self._waiting = data[upto:]
            return [], len(data)
        text = self._pasted.decode("utf-8", "replace").replace("\x00", "")
        self._pasted = None
        return [events.Paste(text)], end + len(_PASTE_END)

    def _sequence(self, data: bytes) -> list[Message]:
        """The event of a whole sequence, if it is known."""
        if data == _PASTE:
            self._pasted = bytearray()
            return []
        if data[1:2] in (b"]", b"P", b"_"):
            return _answer(data)
        if data[1:2] not in (b"[", b"O"):
            return self._keys(data)
        if len(data) > _LONGEST or not data.isascii() or data == _PASTE_END or _is_no_window(data):
            return []
        found = self._parse(data.decode())
        spelt = self._parser.give_up()
        return [] if spelt else found

    def _keys(self, data: bytes) -> list[Message]:
        """Esc, or a character with Alt."""
        text = data.decode("utf-8", "replace")
        if "\ufffd" in text:
            return []
        found, spelt = self._parse(text), self._parser.give_up()
        if len(text) == 1:
            return [*found, *spelt]
        # The parser reports Alt with a sign such as `&` as the sign itself, which was not pressed.
        return [*found, *(event for event in spelt if not _is_key_of(event, text[1]))]

    def _parse(self, text: str) -> list[Message]:
        try:
            return [event for event in self._parser.feed(text) if _can_be_shown(event)] if text else []
        except (ValueError, ArithmeticError):  # a number in a sequence that is no character, or no place
            before, self._parser = self._parser, SequenceParser()
            self._parser.mouse_pixels = before.mouse_pixels
            self._parser.terminal_size = before.terminal_size
            self._parser.terminal_pixel_size = before.terminal_pixel_size
            return []


def _answer(data: bytes) -> list[Message]:
    """The event of an answer of the terminal, if the app has a use for it."""
    number = missing_number(data.decode("utf-8", "replace"))
    return [] if number is None else [PictureMissing(number)]


def _is_key_of(event: Message, character: str) -> bool:
    """Whether this is the key of a character, without Alt."""
    if not isinstance(event, events.Key) or not event.is_printable:
        return False
    return event.character == character and "+" not in event.key


def _is_no_window(data: bytes) -> bool:
    """Whether a terminal reports an impossible size."""
    if not (data.startswith(b"\x1b[48;") and data.endswith(b"t")):
        return False
    return not all(0 < int(number) <= _LARGEST_WINDOW for number in re.findall(rb"\d+", data))


def _can_be_shown(event: Message) -> bool:
    """Half of a UTF-16 pair is no character: it can be neither shown nor stored."""
    if not isinstance(event, events.Key) or event.character is None:
        return True
    return not any("\ud800" <= character <= "\udfff" for character in event.character)
