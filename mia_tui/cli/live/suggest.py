"""`mia-tui suggest`: the classes that the labels of now suggest for all other images."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mia_tui.active.choice import next_images
from mia_tui.active.suggester import Learned, Rows
from mia_tui.active.unfamiliar import unfamiliarity
from mia_tui.cli.live.learned import LiveImages, frame_of, read_live
from mia_tui.cli.output.report import Report
from mia_tui.errors import ConfigError, DataError
from mia_tui.runs.disk import replacing
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, check_format
from mia_tui.text import counted, encode_name, printable, typed

_LISTED = 20  # unfamiliar images


def suggest(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    *,
    out: Path | None,
    next_count: int | None,
    unfamiliar: bool,
    **how: Any,
) -> int:
    """Print or write what the labels of now suggest; returns the exit code.

    Args:
        report: Prints.
        dataset: Folder of images.
        state: The folder given with --state.
        annotator: Who looks.
        out: The file to write.
        next_count: List only so many images, the most useful ones.
        unfamiliar: List only images that are unfamiliar.
        how: As for `read_live`.
    """
    if sum((out is not None, next_count is not None, unfamiliar)) > 1:
        raise ConfigError("--out, --next and --unfamiliar do different things.", "Give one of them.")
    if out is not None:
        check_format(out)
    live = read_live(report, dataset, state, annotator, needs_labels=next_count is None, **how)
    if isinstance(live, int):
        return live
    if next_count is not None:
        _list_next(report, live, next_count)
        return 0
    suggested = _Suggested(live, live.learn())
    if unfamiliar:
        _list_unfamiliar(report, suggested)
    elif out is not None:
        _write(report, suggested, out)
    else:
        _show(report, suggested)
    return 0


class _Suggested:
    """What is suggested for the images without a label."""

    def __init__(self, live: LiveImages, learned: Learned) -> None:
        self.live, self.learned = live, learned
        self.rows: Rows = np.flatnonzero(~live.is_labelled).astype(np.int32)
        found = unfamiliarity(live.vectors, live.labelled, live.groups)
        self.scores = None if found is None else found.scores
        self.names = [live.names[id] for id in learned.classes.tolist()]

    def record(self, row: int) -> dict[str, Any]:
        """What is said of an image, for --json."""
        key = self.live.keys[row]
        return {
            "file": encode_name(key.path),
            "frame": frame_of(key),
            "class": self.names[self.learned.best[row]],
            "probability": round(float(self.learned.confidences[row]), 5),
            "unfamiliar": self.unfamiliar(row),
        }

    def unfamiliar(self, row: int) -> float | None:
        """How far an image is from the labelled ones; None while there are too few of them."""
        return None if self.scores is None else round(float(self.scores[row]), 3)

    def predictions(self) -> Iterator[PredictionRow]:
        """A row for each image, as a prediction has them."""
        for start in range(0, len(self.rows), 4096):
            some = self.rows[start : start + 4096]
            shares = self.learned.probabilities(some).astype(float)
            for row, probabilities in zip(some.tolist(), shares.tolist(), strict=True):
                key = self.live.keys[row]
                yield PredictionRow(
                    encode_name(key.path), key.frame, probabilities, unfamiliar=self.unfamiliar(row)
                )

    @property
    def source(self) -> str:
        """What they come from, for people."""
        return f"{counted(self.learned.labels, 'label')}, features by {self.live.network}"

    @property
    def counts(self) -> Mapping[str, int]:
        """How many images each class is suggested for, most first."""
        best = Counter(self.learned.best[self.rows].tolist())
        return {self.names[place]: count for place, count in best.most_common()}

    @property
    def far(self) -> Rows:
        """The unfamiliar ones, farthest first."""
        if self.scores is None:
            return np.empty(0, np.int32)
        found = self.rows[self.scores[self.rows] > 1]
        return found[np.argsort(-self.scores[found], kind="stable")]


def _list_next(report: Report, live: LiveImages, count: int) -> None:
    learned = live.learn() if len(np.unique(live.class_ids)) >= 2 else None
    found = next_images(live.suggester, learned, ~live.is_labelled, count)
    if not len(found):
        raise DataError(f"All images of {printable(live.found.root)} are labelled.")
    rows = []
    suggested = None if learned is None else _Suggested(live, learned)
    for row in found.tolist():
        key = live.keys[row]
        record: dict[str, Any] = {"file": encode_name(key.path), "frame": frame_of(key)}
        record = record if suggested is None else suggested.record(row)
        report.record(record)
        said = [record.get("class", ""), f"{record['probability']:.2f}"] if suggested else []
        rows.append([printable(key.path), frame_of(key), *said])
    if not report.as_json:
        report.table(["file", "frame", *(["suggested", "probability"] if suggested else [])], rows)


def _list_unfamiliar(report: Report, suggested: _Suggested) -> None:
    if suggested.scores is None:
        raise DataError(
            "Which images are unfamiliar cannot be told from fewer than 10 labelled images.",
            "Label some more.",
        )
    for row in suggested.far.tolist():
        report.record(suggested.record(row))
    report.say(_familiar_sentence(suggested))
    _table(report, suggested, suggested.far)


def _table(report: Report, suggested: _Suggested, rows: Rows) -> None:
    """The first of some images, unless --json has printed them."""
    if report.as_json or not len(rows):
        return
    keys = suggested.live.keys
    shown = [suggested.record(row) for row in rows[:_LISTED].tolist()]
    report.table(
        ("file", "frame", "suggested", "probability", "unfamiliar"),
        [
            [
                printable(keys[row].path),
                record["frame"],
                printable(record["class"]),
                f"{record['probability']:.2f}",
                f"{record['unfamiliar']:.2f}",
            ]
            for row, record in zip(rows.tolist(), shown, strict=False)
        ],
    )
    if len(rows) > _LISTED:
        report.say(f"… and {counted(len(rows) - _LISTED, 'more', 'more')}; --json lists all.")


def _familiar_sentence(suggested: _Suggested) -> str:
    count = len(suggested.far)
    if count:
        return f"{counted(count, 'unfamiliar image')}, unlike all labelled ones: perhaps none of the classes."
    return "No image is unfamiliar."


def _write(report: Report, suggested: _Suggested, out: Path) -> None:
    live = suggested.live
    header = PredictionHeader(
        images=encode_name(str(live.found.root)),
        weights="",
        classes=[encode_name(name) for name in suggested.names],
        run=encode_name(suggested.source),
        tta=False,
        max_megapixels=0.0,
        unfamiliar=True,
    )
    with replacing(out) as file:
        PREDICTION_FORMATS[out.suffix.lower()].write(file, header, suggested.predictions())
    _summarise(report, suggested, out)


def _show(report: Report, suggested: _Suggested) -> None:
    for row in suggested.rows.tolist() if report.as_json else ():
        report.record(suggested.record(row))
    if report.as_json:
        return
    root = typed(suggested.live.found.root)
    if not len(suggested.rows):
        report.say(
            f"All {len(suggested.live.keys):,} images are labelled: nothing is left to be suggested. "
            f"`mia-tui labels issues {root}` lists labels that look wrong, "
            f"`mia-tui labels audit {root} --draw 40` finds out how many are right."
        )
        return
    _summarise(report, suggested, None)
    report.say(
        f"`mia-tui suggest {root} --out FILE.csv` writes them, `--next 20` lists the most useful images."
    )


def _summarise(report: Report, suggested: _Suggested, out: Path | None) -> None:
    """Print how many images each class is suggested for, and how sure that is."""
    rows, confidences = suggested.rows, suggested.learned.confidences
    where = "" if out is None else f" in {printable(out)}"
    report.say(f"{counted(len(rows), 'suggestion')}{where}, from {suggested.source}:")
    table = []
    for name, count in suggested.counts.items():
        own = rows[suggested.learned.best[rows] == suggested.names.index(name)]
        table.append([printable(name), count, f"{confidences[own].mean():.2f}"])
    report.table(("class", "images", "mean probability"), table)
    if suggested.scores is not None:
        report.say(_familiar_sentence(suggested))
    report.record(
        {
            "out": None if out is None else str(out),
            "suggested": len(rows),
            "labels": suggested.learned.labels,
            "network": suggested.live.network,
            "without_features": suggested.live.without,
            "unfamiliar": len(suggested.far),
            "classes": dict(suggested.counts),
        }
    )
