"""Suggestions in a run's folder for the app: the most probable class of images of a dataset, and how probable.

The suggestions of each run are kept apart; they may be for some images of the dataset only.

    {"protocol":1,"images":"/data/cells","classes":["round","long"],"predicted_at":1764000000.0}
    ["a/cell-1.png",0,1,0.9731,0.41,false]    file, frame, position in `classes`, probability or null,
    {"rows":1}                                unfamiliar or null, unsure

The last two are missing in files of earlier versions, which pass over them. The last line tells a complete file from
one that was cut off. Suggestions are never labels: only a person makes one.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import numpy as np
from msgspec import Meta

from mia_tui.config.predict import PredictConfig
from mia_tui.dataset.model import FRAME_NUMBERING, WHOLE_STACK, ImageKey
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.frame_numbers import find_frames_of
from mia_tui.decoding import BadRecord, Count, Frame, Index, JsonReader, Text, Time
from mia_tui.errors import RunError
from mia_tui.files import open_to_read
from mia_tui.paths import StateFolder, is_same_folder, state_places
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.prediction.formats import best_class
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, Unfamiliar
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import decode_name, printable

_PROTOCOL = 1
_BYTES_AT_ONCE = 1 << 17  # of lines that are records at the same time: more would hold up keys
_LONGEST_LINE_BYTES = 1 << 21
_LONGEST_HEAD_BYTES = 1 << 24  # 100,000 classes
_LONGEST_END_BYTES = 64


class _SuggestionsHead(msgspec.Struct, frozen=True):
    protocol: int
    images: Text
    classes: list[Text]
    predicted_at: Time


class SuggestionLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The most probable class of an image: its position among the classes, and its probability, None if unknown.

    `unfamiliar` is how far the image is from all classes, as in `PredictionRow`; `unsure` whether the probability is
    below the threshold of its class.
    """

    file: Text
    frame: Frame
    best: Index
    confidence: Annotated[float, Meta(ge=0.0, le=1.001)] | None
    unfamiliar: Unfamiliar | None = None
    unsure: bool = False


class _SuggestionsEnd(msgspec.Struct, frozen=True):
    rows: Count


_HEAD, _LINE, _END = JsonReader(_SuggestionsHead), JsonReader(SuggestionLine), JsonReader(_SuggestionsEnd)


class _DamagedSuggestions(Exception):
    """A file of suggestions that is ignored because it is damaged."""


@dataclass(frozen=True)
class SuggestionSet:
    """The suggestions of one run, as far as they are known without reading them.

    Attributes:
        run: Its folder.
        model: What people call its network.
        predicted_at: Unix seconds.
        images: How many images there are suggestions for.
    """

    run: RunDir
    model: str = field(compare=False)
    predicted_at: float
    images: int


def write_suggestions(file: BinaryIO, header: PredictionHeader, rows: Iterable[PredictionRow]) -> None:
    """Write the rows that have probabilities as suggestions; a `Writer` for `predictions.convert`."""
    write_lines(file, header.images, header.classes, (_best_of(row, header) for row in rows))


def _best_of(row: PredictionRow, header: PredictionHeader) -> SuggestionLine:
    best = best_class(row)
    assert row.probabilities is not None
    return SuggestionLine(
        row.file,
        row.frame,
        best,
        round(row.probabilities[best], 5),
        row.unfamiliar,
        header.is_unsure(row),
    )


def write_lines(file: BinaryIO, images: str, classes: list[str], lines: Iterable[SuggestionLine]) -> None:
    """Write suggestions, all of them or nothing that would be read.

    Args:
        file: A new file.
        images: Folder of the images; this and all names are in the form of `text.encode_name`.
        classes: Names, in the order of the network.
        lines: One for each image.
    """
    encoder = msgspec.json.Encoder()
    head = _SuggestionsHead(_PROTOCOL, images, classes, round(time.time(), 3))
    file.write(encoder.encode(head) + b"\n")
    count = 0
    for line in lines:
        file.write(encoder.encode(line) + b"\n")
        count += 1
    file.write(encoder.encode(_SuggestionsEnd(count)) + b"\n")


def suggestion_sets(places: Iterable[StateFolder], root: Path) -> list[SuggestionSet]:
    """The suggestions of each run for the images of a dataset, those that were predicted last first.

    Files that are cut off or of another version are left out; and where the state is not in or beside the dataset,
    so are those for another folder that still exists (this one may have been moved).

    Args:
        places: Where the dataset's runs are.
        root: The dataset.
    """
    found = []
    for place in places:
        for run in _runs(place):
            with suppress(OSError, _DamagedSuggestions):
                head, images = _read_ends(run.suggestions)
                if _is_of(head, root, place):
                    found.append(SuggestionSet(run, _model_of(run), head.predicted_at, images))
    return sorted(found, key=lambda known: known.predicted_at, reverse=True)


def read_newest(known: Iterable[SuggestionSet]) -> tuple[SuggestionSet, ModelSuggestions] | None:
    """The first of some suggestions that can be read; None if none can."""
    for each in known:
        with suppress(RunError):
            return each, read_suggestions(each)
    return None


def read_suggestions(known: SuggestionSet) -> ModelSuggestions:
    """Read suggestions.

    Raises:
        RunError: If they are damaged, or not there any more.
    """
    try:
        return _read(known)
    except FileNotFoundError as error:
        raise RunError(f"The suggestions of {printable(known.model)} do not exist any more.") from error
    except (OSError, _DamagedSuggestions) as error:
        file = printable(known.run.suggestions)
        raise RunError(
            f"The suggestions of {printable(known.model)} are damaged: {file}.", "Predict again."
        ) from error


def _model_of(run: RunDir) -> str:
    """The title that a person gave the run, else the name of its network, else that of the run."""
    title = run.notes().title
    if title:
        return title
    with suppress(RunError):
        config = run.job().config
        if isinstance(config, PredictConfig):
            return config.network
    return run.name


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


def _read_ends(path: Path) -> tuple[_SuggestionsHead, int]:
    """The first line of a file, and the number of images in its last."""
    with open_to_read(path) as file:
        head = _decode_head(file.readline(_LONGEST_HEAD_BYTES))
        file.seek(max(file.tell(), file.seek(0, os.SEEK_END) - _LONGEST_END_BYTES))
        last = file.read(_LONGEST_END_BYTES)
    if not last.endswith(b"\n"):
        raise _DamagedSuggestions
    try:
        return head, _END.decode(last[:-1].rpartition(b"\n")[2]).rows
    except BadRecord as error:
        raise _DamagedSuggestions from error


def _decode_head(line: bytes) -> _SuggestionsHead:
    try:
        head = _HEAD.decode(line)
    except BadRecord as error:
        raise _DamagedSuggestions from error
    if head.protocol != _PROTOCOL or not head.classes:
        raise _DamagedSuggestions
    return head


def _read(known: SuggestionSet) -> ModelSuggestions:
    keys: list[ImageKey] = []
    best: list[np.ndarray] = []
    sure: list[np.ndarray] = []
    far: list[np.ndarray] = []
    unsure: list[np.ndarray] = []
    with open_to_read(known.run.suggestions) as file:
        head = _decode_head(file.readline(_LONGEST_HEAD_BYTES))
        for lines in _chunks(file):
            keys += [ImageKey(decode_name(line.file), line.frame) for line in lines]
            best.append(np.array([line.best for line in lines], np.int32))
            sure.append(np.array([line.confidence for line in lines], np.float32))  # None is NaN
            far.append(np.array([line.unfamiliar for line in lines], np.float32))
            unsure.append(np.array([line.unsure for line in lines], np.bool_))
    found = ModelSuggestions(
        known.model,
        tuple(map(decode_name, head.classes)),
        keys,
        np.concatenate([np.empty(0, np.int32), *best]),
        np.concatenate([np.empty(0, np.float32), *sure]),
        _known(np.concatenate([np.empty(0, np.float32), *far])),
        np.concatenate([np.empty(0, np.bool_), *unsure]),
    )
    if np.any(found.best >= len(head.classes)):
        raise _DamagedSuggestions
    return _with_present_frames(known.run, found)


def _known(scores: np.ndarray) -> np.ndarray | None:
    """Scores; None if none is known."""
    return None if np.isnan(scores).all() else scores


def _with_present_frames(run: RunDir, found: ModelSuggestions) -> ModelSuggestions:
    """Suggestions that an earlier version made for pages, for the frames these are now.

    Several pages that are one image now keep a suggestion that all have, with the least probability.
    """
    try:
        job = current_job(run)
    except RunError:
        return found  # nobody knows which numbering they have
    if job.numbering == FRAME_NUMBERING:
        return found
    now = find_frames_of(found.keys, Path(job.dataset))
    changed = {old: key for old, key in now.items() if old != key}
    if not changed:
        return found
    kept: dict[ImageKey, int | None] = {}
    for row, old in enumerate(found.keys):
        key = now.get(old, old)
        other = kept.setdefault(key, row if key.frame >= WHOLE_STACK else None)
        if other is not None and found.best[other] != found.best[row]:
            kept[key] = None
        elif other is not None and found.confidences[row] < found.confidences[other]:
            kept[key] = row
    rows = np.array([row for row in kept.values() if row is not None], np.int64)
    keys = [key for key, row in kept.items() if row is not None]
    left_out = len(kept) - len(keys)
    return replace(
        found,
        keys=keys,
        best=found.best[rows],
        confidences=found.confidences[rows],
        unfamiliar=None if found.unfamiliar is None else found.unfamiliar[rows],
        unsure=None if found.unsure is None else found.unsure[rows],
        left_out=left_out,
    )


def _chunks(file: BinaryIO) -> Iterator[list[SuggestionLine]]:
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
