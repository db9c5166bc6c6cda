"""Decoding records from disk: a valid value within its limits, or `BadRecord`.

A dataset may be in a folder that unknown people can write to, and any disk may damage a file. So a record is read by
its type, whose fields have limits (`msgspec.Meta`); whatever the bytes are, the result is a value of that type or a
`BadRecord`. The caller then says which file is damaged and what can be done about it.
"""

import re
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta

T = TypeVar("T")

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""A number of things or bytes; larger ones are not exact as a float."""

Frame = Annotated[int, Meta(ge=-1, le=2**31 - 1)]  # -1: `model.WHOLE_STACK`
"""Number of a frame of an image, from 0."""

Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""A position in a list, such as that of images or classes."""

Time = Annotated[float, Meta(ge=0.0, le=253_402_300_799.0)]
"""Unix seconds, up to the year 9999, the last that Python's calendar has."""

Elapsed = Annotated[float, Meta(ge=0.0, le=1e10)]
"""Seconds, up to three centuries."""

Text = Annotated[str, Meta(max_length=65_536, pattern=r"^[^\x00]*\Z")]
"""A name, path or sentence, without zero bytes, which no file name may contain."""


class BadRecord(ValueError):
    """A record is not valid; the text says why."""


_BYTES_AT_ONCE = 1 << 17  # of lines
_PATTERN = re.compile("`str` matching regex '.*'")  # meaningless to a user

# RecursionError: lists nested a hundred thousand deep. ValueError: also raised by a `__post_init__`.
_FAULTS = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)


class JsonReader(Generic[T]):
    """Decodes JSON of one type, many times.

    Args:
        kind: The type.
        strict: If False, the strings nan, inf and -inf are read as numbers.
    """

    def __init__(self, kind: type[T], *, strict: bool = True) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind, strict=strict)

    def decode(self, data: bytes | str) -> T:
        """Decode one value; BadRecord if it is not of this type."""
        try:
            return self._decoder.decode(data)
        except _FAULTS as error:
            raise BadRecord(_reason(error)) from error

    def decode_lines(self, data: bytes) -> list[T]:
        """Decode one value per line; BadRecord if any is not of this type.

        In pieces of some milliseconds, between which other threads go on.
        """
        values: list[T] = []
        start = 0
        try:
            while start < len(data):
                end = data.find(b"\n", start + _BYTES_AT_ONCE) + 1 or len(data)
                values += self._decoder.decode_lines(data[start:end])
                start = end
        except _FAULTS as error:
            raise BadRecord(_reason(error)) from error
        return values


def decode_json(data: bytes | str, kind: type[T]) -> T:
    """Decode a value of a type from JSON.

    Raises:
        BadRecord: If it is not of this type.
    """
    return JsonReader(kind).decode(data)


def decode_msgpack(data: bytes, kind: type[T]) -> T:
    """As `decode_json`, from MessagePack."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except _FAULTS as error:
        raise BadRecord(_reason(error)) from error


def check(value: Any, kind: Any) -> Any:
    """Convert a value that was decoded from another format to a type with its limits.

    Raises:
        BadRecord: If it is not of this type.
    """
    try:
        return msgspec.convert(value, kind)
    # Values of other libraries, such as a tensor instead of a mapping, may raise other errors.
    except (*_FAULTS, TypeError, AttributeError, LookupError) as error:
        raise BadRecord(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return _PATTERN.sub("text of another form", str(error))
