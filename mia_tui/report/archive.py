"""The archive of a report: everything that a checklist asks for, to be put into a repository.

    report.html                  the page
    figures/                     each figure as SVG, PDF and PNG
    numbers.json                 the numbers
    methods.txt                  the paragraph
    settings.toml, job.json      the settings, for `mia-tui train --config`, and the job as it was
    fingerprint.jsonl            what the image files held, to tell whether others are the same
    split.csv                    each image with its class and part
    predictions-PART.csv         each evaluated image with its class, the predicted one and the probabilities
    probabilities-PART.npz       the probabilities of many classes, in place of columns
    model/                       the weights with their model card
    examples/                    example images, where they were asked for
    README.txt                   this list

Names in tables are written as in all tables of this program, so that no spreadsheet runs them.
"""

import csv
import io
import json
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from mia_tui.config.settings_file import save_config
from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.interchange.export_file import FILE_MODE, cannot_write
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.errors import DecodeError
from mia_tui.files import new_content, open_to_read, read
from mia_tui.report.facts import RunFacts
from mia_tui.report.numbers import ResultNumbers, spread
from mia_tui.report.words.model_readme import model_readme
from mia_tui.runs.record.decision import decision_file
from mia_tui.runs.record.job import Sample
from mia_tui.text import encode_cell, encode_class, encode_name, printable

MOST_PROBABILITY_CELLS = 2_000_000
"""Of images times classes that are columns of a table; more are an archive of numpy."""

_LARGEST_EXAMPLE = 1 << 30  # bytes
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class ArchiveContent:
    """What is put into the archive.

    Attributes:
        facts: What is known of the run.
        parts: The numbers of each part, with the names of their files.
        page: The page.
        figures: Content of each file of a figure, by its name.
        record: The numbers as JSON.
        methods: The paragraph.
        limits: What the results do not show, a sentence each.
        examples: How many images of each class.
    """

    facts: RunFacts
    parts: Sequence[tuple[str, ResultNumbers]]
    page: bytes
    figures: Mapping[str, bytes]
    record: Mapping[str, Any]
    methods: str
    limits: Sequence[str]
    examples: int


def write_archive(path: Path, content: ArchiveContent) -> list[str]:
    """Write the archive, which only appears once it is complete.

    Returns:
        What could not be put into it, a sentence each.

    Raises:
        MiaError: If it cannot be written.
    """
    notes: list[str] = []
    try:
        with (
            new_content(path, mode=FILE_MODE) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
        ):
            for name, data in _texts(content):
                archive.writestr(name, data)
            for name, data in content.figures.items():
                archive.writestr(f"figures/{name}", data)
            for part, numbers in content.parts:
                _write_predictions(archive, part, numbers)
            _write_model(archive, content)
            if content.examples:
                notes += _write_examples(archive, content)
            archive.writestr("README.txt", _read_me(archive.namelist(), content))
    except OSError as error:
        raise cannot_write(path, error) from error
    return notes


def _texts(content: ArchiveContent) -> Iterator[tuple[str, str | bytes]]:
    facts = content.facts
    yield "report.html", content.page
    yield "numbers.json", json.dumps(content.record, indent=1, allow_nan=False)
    yield "methods.txt", f"{content.methods}\n"
    if facts.training is not None:
        yield "settings.toml", save_config(facts.training.config)
    yield "job.json", facts.run.job_bytes()
    if facts.training_run is not None and facts.fingerprint is not None:
        yield "fingerprint.jsonl", read(facts.training_run.fingerprint, root=facts.training_run.root)
    if facts.samples:
        yield "split.csv", _split(facts.samples, facts.classes)


def _split(samples: Iterable[Sample], classes: Sequence[str]) -> str:
    names = [encode_cell(encode_class(name)) for name in classes]
    rows = (
        (*_image_cells(ImageKey(sample.path, sample.frame)), names[sample.class_index], sample.split)
        for sample in samples
    )
    return _table(("file", "frame", "class", "part"), rows)


def _image_cells(key: ImageKey) -> tuple[str, str]:
    return encode_cell(encode_name(key.path)), "" if key.frame == WHOLE_STACK else str(key.frame)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return file.getvalue()


def _write_predictions(archive: zipfile.ZipFile, part: str, numbers: ResultNumbers) -> None:
    results = numbers.evaluated.results
    names = [encode_cell(encode_class(name)) for name in results.classes]
    scores = results.log_probabilities
    in_columns = scores is not None and scores.size <= MOST_PROBABILITY_CELLS
    columns = ["file", "frame", "class", "predicted", "right"]
    if in_columns:
        columns += [f"p {name}" for name in names]

    def rows() -> Iterator[Sequence[object]]:
        pairs = zip(results.truth.tolist(), results.predicted.tolist(), strict=True)
        for row, (key, (truth, predicted)) in enumerate(zip(results.keys, pairs, strict=True)):
            values: list[str] = []
            if in_columns and scores is not None:
                values = [f"{value:.6g}" for value in np.exp(scores[row].astype(np.float64)).tolist()]
            yield *_image_cells(key), names[truth], names[predicted], int(truth == predicted), *values

    archive.writestr(f"predictions-{part}.csv", _table(columns, rows()))
    if scores is not None and not in_columns:
        with archive.open(f"probabilities-{part}.npz", "w", force_zip64=True) as entry:
            np.savez(entry, log_probabilities=scores, classes=np.array(names, np.str_))


def _write_model(archive: zipfile.ZipFile, content: ArchiveContent) -> None:
    facts = content.facts
    if facts.weights is None:
        return
    main = content.parts[0][1] if content.parts else None
    text = model_readme(facts, main, methods=content.methods, limits=content.limits)
    archive.writestr("model/README.md", text)
    _copy(archive, facts.weights, "model/best.safetensors", compressed=False)
    for file in (facts.weights.parent / "model.json", decision_file(facts.weights)):
        if file.is_file():
            _copy(archive, file, f"model/{file.name}")


def _copy(archive: zipfile.ZipFile, source: Path, name: str, *, compressed: bool = True) -> None:
    entry = zipfile.ZipInfo(name, time.localtime()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    entry.external_attr = 0o644 << 16
    with open_to_read(source, follow=True) as file, archive.open(entry, "w", force_zip64=True) as target:
        while chunk := file.read(_CHUNK):
            target.write(chunk)


def _write_examples(archive: zipfile.ZipFile, content: ArchiveContent) -> list[str]:
    """Some image files of each class, of the images that count most; only what is an image is copied."""
    if not content.parts:
        return ["There are no example images, since no image was evaluated."]
    part, numbers = content.parts[0]
    results = numbers.evaluated.results
    rows: list[Sequence[object]] = []
    failed: list[str] = []
    copied: dict[str, str] = {}
    for index, name in enumerate(results.classes):
        for row in spread(np.flatnonzero(results.truth == index), content.examples):
            key = results.keys[row]
            if key.path not in copied:
                entry = _example_name(key.path, len(copied))
                if not _copy_example(archive, results.dataset / key.path, key.frame, entry):
                    failed.append(key.path)
                    continue
                copied[key.path] = entry
            cells = encode_cell(copied[key.path].removeprefix("examples/")), *_image_cells(key)
            rows.append((*cells, encode_cell(encode_class(name)), part))
    archive.writestr("examples/examples.csv", _table(("file", "original", "frame", "class", "part"), rows))
    return [f"{printable(path)} could not be put among the examples." for path in failed]


def _example_name(path: str, number: int) -> str:
    """A name in the archive that leads nowhere else: `examples/0003 cell.png`."""
    name = encode_name(PurePosixPath(path).name)
    safe = "".join(char if char.isprintable() and char not in '/\\:*?"<>|' else "_" for char in name)
    return f"examples/{number:04} {safe[-120:]}"


def _copy_example(archive: zipfile.ZipFile, path: Path, frame: int, name: str) -> bool:
    """Copy a file if it is an image that can be read: a list of images from elsewhere may name any file."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_EXAMPLE:
            return False
        with opened(path, frame, MAX_MEGAPIXELS):
            pass
    except (DecodeError, OSError):
        return False
    _copy(archive, path, name)
    return True


def _read_me(names: Sequence[str], content: ArchiveContent) -> str:
    known = {
        "report.html": "the report; opens in any browser, without internet",
        "numbers.json": "all numbers of the report",
        "methods.txt": "the methods paragraph",
        "settings.toml": "the settings; mia-tui train DATASET --config settings.toml uses them",
        "job.json": "what the program was asked to do",
        "fingerprint.jsonl": "what the image files held: a hash of each",
        "split.csv": "the images of each part, with their classes",
        "model/best.safetensors": "the network; mia-tui predict FOLDER --run best.safetensors uses it",
        "model/model.json": "what the network is, for programs",
        "model/README.md": "what the network is, for the hub of Hugging Face",
        "model/best.decision.json": "its temperature and threshold",
        "examples/examples.csv": "the classes of the example images",
    }
    lines = [f"{printable(content.facts.title)}: files of its report, made by mia-tui", ""]
    for name in sorted(names):
        what = known.get(name, "")
        if name.startswith("predictions-"):
            what = "each evaluated image, its class, the predicted class and the probabilities"
        elif name.startswith("probabilities-"):
            what = "natural logarithms of the probabilities, for numpy"
        lines.append(f"{name:<44} {what}".rstrip())
    return "\n".join(lines) + "\n"
