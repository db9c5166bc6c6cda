"""Suggestions in a run's folder for the app: the most probable class of each image of a dataset, and how probable.

    {"protocol":1,"images":"/data/cells","classes":["round","long"],"predicted_at":1764000000.0}
    ["a/cell-1.png",0,1,0.9731]         file, frame, place in `classes`, probability
    {"rows":1}

The last line tells a complete file from one that was cut off. Suggestions are never labels: only a person makes one.
"""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import numpy as np
from msgspec import Meta

from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import BadRecord, Count, Frame, JsonReader, Text, Time
from mia_tui.files import open_to_read
from mia_tui.paths import StateFolder, is_same_folder, state_places
from mia_tui.runs.prediction.formats import best_class
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import decode_name

_PROTOCOL = 1
_BYTES_AT_ONCE = 1 << 20  # of lines that are records at the same time
_LONGEST_LINE_BYTES = 1 << 21
_LONGEST_HEAD_BYTES = 1 << 24  # 100,000 classes


class _SuggestionsHead(msgspec.Struct, frozen=True):
    protocol: int
    images: Text
    classes: list[Text]
    predicted_at: Time


class _Suggestion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    file: Text
    frame: Frame
    best: Frame
    confidence: Annotated[float, Meta(ge=0.0, le=1.001)]


class _SuggestionsEnd(msgspec.Struct, frozen=True):
    rows: Count


_HEAD, _LINE, _END = JsonReader(_SuggestionsHead), JsonReader(_Suggestion), JsonReader(_SuggestionsEnd)


class _DamagedSuggestions(Exception):
    """A file of suggestions that is ignored because it is damaged."""


@dataclass(frozen=True, eq=False)
class Suggestions:
    """The suggestions of one run's network.

    Attributes:
        run: Name of the run's folder.
        predicted_at: Unix seconds.
        classes: Names, in the order of the network; the dataset may have other classes by now.
        keys: The images that could be read, in the order of the dataset at that time.
        best: Place in `classes` for each image, int32, shape (N,).
        confidence: Probability of that class, float32, shape (N,).
    """

    run: str
    predicted_at: float
    classes: tuple[str, ...]
    keys: list[ImageKey]
    best: np.ndarray
    confidence: np.ndarray


def write_suggestions(file: BinaryIO, header: PredictionHeader, rows: Iterable[PredictionRow]) -> None:
    """Write the rows that have probabilities as suggestions; a `Writer` for `predictions.convert`."""
    encoder = msgspec.json.Encoder()
    head = _SuggestionsHead(_PROTOCOL, header.images, header.classes, round(time.time(), 3))
    file.write(encoder.encode(head) + b"\n")
    count = 0
    for row in rows:
        best = best_class(row)
        assert row.probabilities is not None
        line = _Suggestion(row.file, row.frame, best, round(row.probabilities[best], 5))
        file.write(encoder.encode(line) + b"\n")
        count += 1
    file.write(encoder.encode(_SuggestionsEnd(count)) + b"\n")


def newest_suggestions(state: StateFolder, root: Path) -> Suggestions | None:
    """The newest suggestions for the images of a dataset; None if there are none.

    Files that are damaged, cut off or of another version are ignored; and where the state is not in or beside
    the dataset, so are those for another folder that still exists (this one may have been moved).

    Args:
        state: Where the dataset's runs are.
        root: The dataset.
    """
    dated: list[tuple[float, RunDir]] = []
    for run in _runs(state):
        try:
            head = _read_head(run.suggestions)
        except (OSError, _DamagedSuggestions):
            continue
        if _is_of(head, root, state):
            dated.append((head.predicted_at, run))
    for _, run in sorted(dated, key=lambda pair: pair[0], reverse=True):
        try:
            return _read(run)
        except (OSError, _DamagedSuggestions):
            continue
    return None


def _runs(state: StateFolder) -> list[RunDir]:
    try:
        with os.scandir(state.runs) as entries:
            return [RunDir(Path(entry.path)) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _is_of(head: _SuggestionsHead, root: Path, state: StateFolder) -> bool:
    """Whether suggestions are for a dataset; only a state folder elsewhere can hold those of several."""
    if any(is_same_folder(state.root, place) for place in state_places(root)):
        return True
    images = Path(decode_name(head.images))
    return is_same_folder(images, root) or not os.path.isdir(images)  # noqa: PTH112  # Path's raises


def _read_head(path: Path) -> _SuggestionsHead:
    with open_to_read(path) as file:
        return _decode_head(file.readline(_LONGEST_HEAD_BYTES))


def _decode_head(line: bytes) -> _SuggestionsHead:
    try:
        head = _HEAD.decode(line)
    except BadRecord as error:
        raise _DamagedSuggestions from error
    if head.protocol != _PROTOCOL or not head.classes:
        raise _DamagedSuggestions
    return head


def _read(run: RunDir) -> Suggestions:
    keys: list[ImageKey] = []
    best: list[np.ndarray] = []
    confidence: list[np.ndarray] = []
    with open_to_read(run.suggestions) as file:
        head = _decode_head(file.readline(_LONGEST_HEAD_BYTES))
        for lines in _chunks(file):
            keys += [ImageKey(decode_name(line.file), line.frame) for line in lines]
            best.append(np.array([line.best for line in lines], np.int32))
            confidence.append(np.array([line.confidence for line in lines], np.float32))
    suggestions = Suggestions(
        run=run.name,
        predicted_at=head.predicted_at,
        classes=tuple(map(decode_name, head.classes)),
        keys=keys,
        best=np.concatenate([np.empty(0, np.int32), *best]),
        confidence=np.concatenate([np.empty(0, np.float32), *confidence]),
    )
    if np.any((suggestions.best < 0) | (suggestions.best >= len(head.classes))):
        raise _DamagedSuggestions
    return suggestions


def _chunks(file: BinaryIO) -> Iterator[list[_Suggestion]]:
    """The lines between the first and the last; the last one must say how many there are."""
    count, end = 0, b""
    try:
        while chunk := file.read(_BYTES_AT_ONCE):
            held, _, rest = (end + chunk).rstrip(b"\n").rpartition(b"\n")
            end = rest + chunk[len(chunk.rstrip(b"\n")) :]  # the last line so far may be the last of the file
            if len(end) > _LONGEST_LINE_BYTES:
                raise _DamagedSuggestions
            rows = _LINE.decode_lines(held)
            count += len(rows)
            yield rows
        if not end.endswith(b"\n") or _END.decode(end).rows != count:
            raise _DamagedSuggestions
    except BadRecord as error:
        raise _DamagedSuggestions from error
