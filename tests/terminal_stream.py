"""What a program says to its terminal, taken apart: questions and their answers, pictures, paints, plain text."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kitty_terminal import KittyTerminal

PAINT_END = b"\x1b[?2026l"

_CONTROL = re.compile(
    rb"\x1b\[(?P<csi>[<=>?]?[0-9:;]*[ -/]*[@-~])"
    rb"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    rb"|\x1bP(?P<dcs>[^\x1b]*)\x1b\\"
    rb"|\x1b_(?P<apc>[^\x1b]*)\x1b\\"
    rb"|\x1b[\^X][^\x1b]*\x1b\\"
    rb"|\x1b(?P<esc>[ -/]*[0-OQ-WYZ\\`-~])"
)
_QUESTION = re.compile(
    rb"\x1b\[(?P<csi>[>=?]?[\d;]*(?:[cntu]|\$p)|>[\d;]*q)"
    rb"|\x1b\](?P<osc>1[01];\?)(?:\x07|\x1b\\)"
    rb"|\x1bP(?P<dcs>[$+]q[^\x1b]*)\x1b\\"
    rb"|\x1b_G(?P<apc>[^;\x1b]*a=q[^;\x1b]*)(?:;[^\x1b]*)?\x1b\\"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[^@-~]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$", re.DOTALL)
_PLACE = re.compile(rb"\x1b\[(\d+;\d+)H")
_SGR = re.compile(rb"\x1b\[([0-9:;]*)m")
# What pyte draws right; it prints parts of the rest as text.
_DRAWN = re.compile(rb"[0-9;]*[@ABCDEFGHJKLMPXadefgm]|\?(?:25|7)[hl]")
_LONGEST_QUESTION = 300


@dataclass(frozen=True)
class Kind:
    """What a terminal is able to do and says about itself.

    Attributes:
        brand: Its answer to XTVERSION; None stays silent.
        attributes: Its answer to DA1; None stays silent. 4 is sixel.
        has_kitty_graphics: Whether it answers kitty's graphics question.
        has_truecolour: Whether DECRQSS gives a 24-bit colour back as it was set.
        says_cell_size: Whether it answers CSI 14 t and CSI 16 t.
        environment: What it puts into the environment.
        delay_s: How late every answer comes, as over a slow link.
    """

    brand: str | None = "XTerm(379)"
    attributes: str | None = "62;22"
    has_kitty_graphics: bool = False
    has_truecolour: bool = True
    says_cell_size: bool = True
    environment: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


KINDS = {
    "plain": Kind(),
    "xterm-sixel": Kind(attributes="62;4;22"),
    "kitty": Kind(brand="kitty(0.42.1)", has_kitty_graphics=True),
    "iterm2": Kind(brand="iTerm2 3.5.10"),
    "mute": Kind(brand=None, attributes=None, says_cell_size=False, has_truecolour=False),
}


@dataclass(frozen=True)
class Said:
    """How often what kind of thing was written.

    Attributes:
        sixel: Sixel pictures.
        iterm2: Pictures of iTerm2's protocol.
        kitty: kitty's commands by action: t (transmit), p (place), T (both), d (delete); "" for more of the same.
        paints: Synchronised updates.
    """

    sixel: int
    iterm2: int
    kitty: Counter[str]
    paints: int

    @property
    def pictures(self) -> int:
        """Pictures put onto the screen by a graphics protocol."""
        return self.sixel + self.iterm2 + self.kitty["p"] + self.kitty["T"]


@dataclass(frozen=True)
class Answer:
    """What came back after a key.

    Attributes:
        data: All that was written until it was quiet.
        first_s: From the key to the first byte.
        last_s: From the key to the last byte.
        first_paint_s: From the key to the end of the first paint; 0 if nothing was painted.
        painted_s: From the key to the end of the last paint: later bytes are sent ahead, nobody sees them.
        painted_bytes: Bytes up to there.
    """

    data: bytes
    first_s: float
    last_s: float
    first_paint_s: float
    painted_s: float
    painted_bytes: int

    @property
    def said(self) -> Said:
        return take_apart(self.data)[1]


class Answerer:
    """Finds a terminal's questions in what is written to it, and knows the answers."""

    def __init__(self, kind: Kind, columns: int, rows: int, cell_px: tuple[int, int]) -> None:
        self._kind = kind
        self.kitty = KittyTerminal(
            frees_unplaced=True, counts_twice=True
        )  # as the oldest that is still about
        self._known = _known_answers(kind, columns, rows, *cell_px)
        self._open = b""  # perhaps the beginning of a question whose end has not come yet
        self._sgr = b"0"  # the colours that were set last
        self._place = b"1;1"  # where the cursor was put last: about where it is

    def answers(self, data: bytes) -> Iterator[bytes]:
        """What the terminal answers to the next bytes it reads, in this order."""
        if self._kind.has_kitty_graphics and (missing := self.kitty.take(data)):
            yield missing
        data = self._open + data
        end = 0
        for match in _QUESTION.finditer(data):
            self._keep(data[end : match.start()])
            end = match.end()
            if answer := self._answer(match):
                yield answer
        self._keep(data[end:])
        tail = data[end:][-_LONGEST_QUESTION:]
        last = tail.rfind(b"\x1b")
        if last == len(tail) - 1:  # perhaps the end of a string that began before
            last = max(tail.rfind(b"\x1b", 0, -1), min(last, 0))
        self._open = tail[last:] if last >= 0 else b""

    def _keep(self, data: bytes) -> None:
        if found := _PLACE.findall(data[-2000:]):
            self._place = found[-1]
        if found := _SGR.findall(data[-200:]):
            self._sgr = found[-1] or b"0"

    def _answer(self, match: re.Match[bytes]) -> bytes | None:
        asked = (match[match.lastgroup or 0] or b"").decode("latin-1")
        if match.lastgroup == "apc":
            number = re.search(r"\bi=(\d+)", asked)
            return (
                f"\x1b_Gi={number[1]};OK\x1b\\".encode() if self._kind.has_kitty_graphics and number else None
            )
        if self._kind.attributes is None and match.lastgroup != "csi":
            return None
        if match.lastgroup == "osc":
            ground = "0000/0000/0000" if asked.startswith("11") else "ffff/ffff/ffff"
            return f"\x1b]{asked[:2]};rgb:{ground}\x1b\\".encode()
        if match.lastgroup == "dcs":
            if asked == "$qm":
                set_ = re.sub(
                    rb"([34]8);2;(\d+);(\d+);(\d+)", rb"0;\1:2::\2:\3:\4", self._sgr
                )  # as xterm says it
                return b"\x1bP1$r" + (set_ if self._kind.has_truecolour else b"0") + b"m\x1b\\"
            return f"\x1bP0{asked[0]}r\x1b\\".encode()
        if asked.endswith("$p"):
            has_mode = asked == "?2026$p"
            return f"\x1b[{asked[:-2]};{2 if has_mode else 0}$y".encode() if self._kind.attributes else None
        return b"\x1b[" + self._place + b"R" if asked == "6n" else self._known.get(asked)


def _known_answers(kind: Kind, columns: int, rows: int, width_px: int, height_px: int) -> dict[str, bytes]:
    """Answers to questions of the form CSI ..., without the CSI."""
    answers = {"5n": "\x1b[0n", "18t": f"\x1b[8;{rows};{columns}t"}
    if kind.attributes is not None:
        answers |= dict.fromkeys(("c", "0c"), f"\x1b[?{kind.attributes}c")
        answers |= dict.fromkeys((">c", ">0c"), "\x1b[>41;379;0c")
    if kind.brand is not None:
        answers |= dict.fromkeys((">q", ">0q"), f"\x1bP>|{kind.brand}\x1b\\")
    if kind.says_cell_size:
        answers["16t"] = f"\x1b[6;{height_px};{width_px}t"
        answers["14t"] = f"\x1b[4;{height_px * rows};{width_px * columns}t"
    if kind.has_kitty_graphics:
        answers["?u"] = "\x1b[?0u"
    return {asked: answer.encode() for asked, answer in answers.items()}


def whole_sequences(data: bytes) -> tuple[bytes, bytes]:
    """The data without a sequence that has not ended yet, and the beginning of that one."""
    unfinished = _UNFINISHED.search(data)
    place = unfinished.start() if unfinished else len(data)
    return data[:place], data[place:]


def take_apart(data: bytes) -> tuple[bytes, Said]:
    """What a screen without graphics would draw, and what else was said."""
    sixel = iterm2 = 0
    kitty: Counter[str] = Counter()
    text, place = [], 0
    for match in _CONTROL.finditer(data):
        text.append(data[place : match.start()])
        place = match.end()
        if match["csi"] is not None:
            if _DRAWN.fullmatch(match["csi"]):
                text.append(match.group())
        elif match["dcs"] is not None:
            sixel += re.match(rb"[0-9;]*q", match["dcs"]) is not None
        elif match["osc"] is not None:
            iterm2 += match["osc"].startswith((b"1337;File=", b"1337;MultipartFile="))
        elif match["apc"] is not None and match["apc"].startswith(b"G"):
            action = re.search(rb"\ba=(\w)", match["apc"][1:].partition(b";")[0])
            kitty[action.group(1).decode() if action else ""] += 1
        elif match["esc"] in (b"7", b"8", b"D", b"M"):
            text.append(match.group())
    text.append(data[place:])
    return b"".join(text), Said(sixel, iterm2, kitty, data.count(PAINT_END))


def weigh(chunks: Sequence[tuple[float, bytes]], pressed_at: float) -> Answer:
    """Times and sizes of what was written after a key."""
    data = b"".join(piece for _, piece in chunks)
    ends, length = [], 0
    for at, piece in chunks:
        length += len(piece)
        ends.append((length, at - pressed_at))

    def time_of(place: int) -> float:
        return next(at for end, at in ends if end >= place)

    first = data.find(PAINT_END) + len(PAINT_END)
    last = data.rfind(PAINT_END) + len(PAINT_END)
    painted = PAINT_END in data
    return Answer(
        data=data,
        first_s=ends[0][1],
        last_s=ends[-1][1],
        first_paint_s=time_of(first) if painted else 0.0,
        painted_s=time_of(last) if painted else 0.0,
        painted_bytes=last if painted else 0,
    )
