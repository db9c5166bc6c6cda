"""What a disk or a stranger may make of a record: bytes and values that are nearly right."""

import json
import random
from collections.abc import Iterator
from typing import Any

DEEP = b"[" * 200_000
ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**53 + 1, 10**18, 10**30, -0.5, 1e308, "",
    "nan", "inf", "\x00", "a\x1b[31m\n", "\u202e",
    "..", "/", "x" * 70_000, [], [[]], {}, {"type": 1}, [1, 2, 3],
)  # fmt: skip


def byte_mutants(content: bytes, seed: int = 0) -> Iterator[bytes]:
    """The bytes cut short, with bits turned over, pieces doubled and lost, and other bytes altogether."""
    yield from (b"", b"\x00", b"\xff\xfe", b"{", DEEP, b'{"a":' * 100_000, b"9" * 5000, b"null", b"[]", b"{}")
    yield content + DEEP
    yield DEEP + content
    chance = random.Random(seed)
    for _ in range(60):
        data = bytearray(content)
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                del data[at:]
            case 1 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                data[at:at] = data[at : at + chance.randrange(1, 40)]
            case _:
                del data[at : at + chance.randrange(1, 40)]
        yield bytes(data)


def json_mutants(content: bytes, most: int = 200) -> Iterator[bytes]:
    """JSON with one of its values replaced by an odd one, or left out: `most` of all there are."""
    value = json.loads(content)
    changes = [(place, odd) for place in _places(value) for odd in (*ODD_VALUES, _Gone)]
    chosen = changes if len(changes) <= most else random.Random(0).sample(changes, most)
    for place, odd in chosen:
        if odd is not _Gone or (place and isinstance(place[-1], str)):
            yield json.dumps(_changed(value, place, odd)).encode()


class _Gone:
    """No value at all."""


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items)[:40]:
        yield from _places(item, (*above, key))


def _changed(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    if odd is _Gone and len(place) == 1:
        del copy[place[0]]
    else:
        copy[place[0]] = _changed(copy[place[0]], place[1:], odd)
    return copy
