"""The records of a run as bytes of its files; JSON cannot hold names that are not UTF-8, see `text.encode_name`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from mia_tui.dataset.images.intensity import AS_BEFORE
from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import Frame, JsonReader, Text, check, decode_json
from mia_tui.runs.record.job import AnyJob, Sample
from mia_tui.text import decode_name, encode_name

Record = TypeVar("Record", bound=msgspec.Struct)

_SAMPLE = JsonReader(Sample)
_IMAGE: JsonReader[tuple[Text, Frame]] = JsonReader(tuple[Text, Frame])


def encode_job(job: AnyJob) -> bytes:
    return encode_record({"kind": job.kind, **msgspec.to_builtins(job)})


def encode_record(record: Any) -> bytes:
    """A Struct, or what is made of plain values, as JSON that a person can read."""
    encoded = msgspec.json.encode(_map_strings(msgspec.to_builtins(record), encode_name))
    return msgspec.json.format(encoded, indent=2) + b"\n"


def decode_values(raw: bytes) -> dict[str, Any]:
    """The values of a record, not checked.

    Raises:
        BadRecord: If it is no JSON object.
    """
    values: dict[str, Any] = _map_strings(decode_json(raw, dict[str, Any]), decode_name)
    return values


def decode_record(raw: bytes, kind: type[Record]) -> Record:
    """What `encode_record` made of a Struct.

    Raises:
        BadRecord: If it is damaged.
    """
    record: Record = check(decode_values(raw), kind)
    return record


def add_intensity(values: dict[str, Any]) -> None:
    """Say how bright the images of an old training were, which had no choice."""
    config = values.get("config")
    if isinstance(config, dict) and values.get("numbering", AS_BEFORE.numbering) == AS_BEFORE.numbering:
        config.setdefault("intensity", AS_BEFORE.mode)


def encode_images(images: Sequence[ImageKey]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for key in images:
        yield encoder.encode((encode_name(key.path), key.frame)) + b"\n"


def decode_images(raw: bytes) -> list[ImageKey]:
    """What `encode_images` made.

    Raises:
        BadRecord: If it is damaged.
    """
    return [ImageKey(decode_name(path), frame) for path, frame in _IMAGE.decode_lines(raw)]


def encode_samples(samples: Sequence[Sample]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for sample in samples:
        yield encoder.encode(_with_path(sample, encode_name)) + b"\n"


def decode_samples(raw: bytes) -> list[Sample]:
    """What `encode_samples` made.

    Raises:
        BadRecord: If it is damaged.
    """
    return [_with_path(sample, decode_name) for sample in _SAMPLE.decode_lines(raw)]


def decode_sample(line: bytes) -> Sample:
    """A line of it; as `decode_samples`."""
    return _with_path(_SAMPLE.decode(line), decode_name)


def _with_path(sample: Sample, change: Callable[[str], str]) -> Sample:
    path = change(sample.path)
    return sample if path == sample.path else msgspec.structs.replace(sample, path=path)


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _map_strings(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map_strings(item, change) for item in value]
    return value
