"""Records that come from disk: decoded here, within bounds, or called bad.

A dataset may lie in a folder shared with people one does not know, and any disk
may damage a file. So whoever reads a record gives its type, whose fields carry
their limits (`msgspec.Meta`), and gets a value of that type or a `BadRecord`,
whatever the bytes are. The reader then says which file is damaged and what can
be done about it.
"""

import re
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""A number of things or bytes; a larger one would not fit into a float."""

Frame = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""Of an image, or a position in a list of images or classes."""

Time = Annotated[float, Meta(ge=0.0, le=253_402_300_799.0)]
"""Unix seconds, up to the year 9999, behind which no calendar goes."""

Elapsed = Annotated[float, Meta(ge=0.0, le=1e10)]
"""Seconds; three centuries are enough."""

Text = Annotated[str, Meta(max_length=65_536, pattern=r"^[^\x00]*\Z")]
"""A name, path or sentence: the system takes no name with a zero byte in it."""


class BadRecord(ValueError):
    """A record is not what it should be; the text is the reason."""


_PATTERN = re.compile("`str` matching regex '.*'")  # which says nothing to a user

# RecursionError: lists in lists, a hundred thousand deep. ValueError: also what a `__post_init__` says.
_FAULTS = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


class JsonReader(Generic[T]):
    """Decodes JSON as one type, again and again.

    Args:
        kind: The type.
        strict: Without it, the strings nan, inf and -inf are read as numbers.
    """

    def __init__(self, kind: type[T], *, strict: bool = True) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind, strict=strict)

    def decode(self, data: bytes | str) -> T:
        """One value; BadRecord if there is none of this type."""
        try:
            return self._decoder.decode(data)
        except _FAULTS as error:
            raise BadRecord(_reason(error)) from error

    def decode_lines(self, data: bytes) -> list[T]:
        """One value a line; BadRecord if any is bad."""
        try:
            return self._decoder.decode_lines(data)
        except _FAULTS as error:
            raise BadRecord(_reason(error)) from error


def decode_json(data: bytes | str, kind: type[T]) -> T:
    """The value that JSON holds.

    Raises:
        BadRecord: If it holds none of this type.
    """
    return JsonReader(kind).decode(data)


def decode_msgpack(data: bytes, kind: type[T]) -> T:
    """As `decode_json`, of MessagePack."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except _FAULTS as error:
        raise BadRecord(_reason(error)) from error


def check(value: Any, kind: Any) -> Any:
    """A value that was decoded already, by another program's format, as a type with its limits.

    Raises:
        BadRecord: If it is none of this type.
    """
    try:
        return msgspec.convert(value, kind)
    # A value of another program's type, as a tensor where a mapping should be, may fail in its own way.
    except (*_FAULTS, TypeError, AttributeError, LookupError) as error:
        raise BadRecord(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return _PATTERN.sub("text of another form", str(error))
