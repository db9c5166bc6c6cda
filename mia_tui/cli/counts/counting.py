"""What `mia-tui counts` reads and prints."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mia_tui.analysis.counts import Shares
from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import scan_images
from mia_tui.cli.shared.options import check_new_file
from mia_tui.config.split import compile_pattern
from mia_tui.config.train import Frames, LabelSource
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.path_groups import BY
from mia_tui.dataset.store.label_store import stack_mode
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import find_state
from mia_tui.runs.counts.confusions import KnownConfusions, known_confusions
from mia_tui.runs.counts.csv_file import records, summary, write_csv, write_rows
from mia_tui.runs.counts.images import NONE, CountedImages, Predicted, count_images, read_predicted
from mia_tui.runs.counts.table import CountTable, Use, make_table
from mia_tui.runs.list.find import find_run
from mia_tui.runs.preflight.prepare import read_dataset
from mia_tui.text import counted, percent, printable

_MOST_GROUPS = 40  # in the table that is printed
_MOST_CLASSES = 8  # beside each other
_MOST_UNUSUAL = 20


def count(
    report: Report,
    dataset: Path,
    *,
    by: str | None,
    run_text: str | None,
    use: Use | None,
    correct: bool,
    confusions: str | None,
    against: str | None,
    csv: Path | None,
    overwrite: bool,
    labels: LabelSource | None,
    frames: Frames | None,
    state: Path | None,
    annotator: str | None,
) -> int:
    """Count and print, or write; the arguments are those of the command. Returns the exit code."""
    if by is not None:
        compile_pattern(by, BY)  # before the images are looked for
    _check(report, csv, overwrite=overwrite, correct=correct, confusions=confusions, use=use)
    keys, places, names = _read(report, dataset, state, annotator, labels or "auto", frames or "first")
    run = None
    if run_text is not None:
        run = find_run(run_text, dataset=dataset, state=state, kind="predict" if run_text == "last" else None)
    predicted = read_predicted(keys, dataset, state, run)
    if not len(names) and predicted is None:
        raise DataError(
            f"No image of {printable(dataset)} has a label or a prediction, so there is nothing to count.",
            f"Label some with `mia-tui {printable(dataset)}`, or predict them with `mia-tui predict`.",
        )
    images = count_images(keys, places, names, by=by, predicted=predicted)
    known = _confusions(keys, images, dataset, state, confusions) if correct else None
    table = make_table(images, use=use, confusions=known, against=against)
    if csv is not None and str(csv) == "-":
        write_rows(table, report.data())
    else:
        _show(report, table, csv)
    return 0


def _check(
    report: Report,
    csv: Path | None,
    *,
    overwrite: bool,
    correct: bool,
    confusions: str | None,
    use: Use | None,
) -> None:
    """Refuse options that do not go together, before anything is read."""
    if confusions is not None and not correct:
        raise ConfigError("--confusions says what --correct takes.", "Give --correct, too.")
    if correct and use == "labels":
        raise ConfigError("--correct is for predictions: labels are not confused.", "Leave one of them out.")
    if csv is not None and str(csv) != "-":
        check_new_file(csv, overwrite=overwrite)
    elif overwrite:
        raise ConfigError("--overwrite is for the file of --csv.", "Leave it out, or name a file.")
    elif csv is not None and report.as_json:
        raise ConfigError("--json and --csv - both write to stdout.", "Leave one of them out.")


def _read(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    source: LabelSource,
    frames: Frames,
) -> tuple[tuple[ImageKey, ...], "np.ndarray", list[str]]:
    """The images, the position of each one's class, and the names of the classes; none where nothing is labelled."""
    scan = scan_images(report, dataset, frames)
    try:
        found = read_dataset(dataset, state, frames=frames, source=source, annotator=annotator, found=scan)
    except DataError:
        if source != "auto":
            raise
        place = find_state(dataset, state)
        keys = scan.labelled_as(stack_mode(place.labels_db)).keys
        return keys, np.full(len(keys), NONE, np.int32), []
    for note in (*found.followed, *found.labelled.notes):
        report.warn(note)
    keys, labels = found.scan.keys, found.labelled.labels
    places = np.fromiter((labels.get(key, NONE) for key in keys), np.int32, len(keys))
    return keys, places, [named.name for named in found.labelled.classes]


def _confusions(
    keys: Sequence[ImageKey], images: CountedImages, dataset: Path, state: Path | None, run_text: str | None
) -> KnownConfusions:
    predicted = _needed(images.predicted)
    run = None if run_text is None else find_run(run_text, dataset=dataset, state=state, kind=None)
    return known_confusions(keys, predicted, dataset, state, run)


def _needed(predicted: Predicted | None) -> Predicted:
    if predicted is None:
        raise ConfigError(
            "--correct is for predictions, and there are none of these images.",
            "`mia-tui predict DATASET --run RUN` makes some.",
        )
    return predicted


def _show(report: Report, table: CountTable, csv: Path | None) -> None:
    for record in records(table) if report.as_json else ():
        report.record(record)
    groups, images = len(table.groups.names), int(table.images.sum())
    report.say(
        f"{counted(images, 'image')} in {counted(groups, 'group')} {printable(table.groups.how)}: "
        f"{_what(table)}."
    )
    report.say()
    _show_overall(report, table)
    report.say()
    _show_groups(report, table)
    _show_unusual(report, table)
    for note in table.notes:
        report.note(note)
    if csv is not None:
        rows = write_csv(table, csv)
        report.say()
        report.say(f"{counted(rows, 'row')} in {printable(csv)}.")
    report.record({**summary(table), "csv": None if csv is None else str(csv)})


def _what(table: CountTable) -> str:
    labelled = int(table.labels.sum())
    labels = f"{labelled:,} labelled"
    if table.predictions is None:
        return labels
    return f"{labels}, {int(table.predictions.sum()):,} predicted by {printable(table.model)}"


def _show_overall(report: Report, table: CountTable) -> None:
    """The share of each class in all groups together."""
    corrected = table.corrected
    columns = ["class", "labels"]
    if table.predictions is not None:
        columns.append("predictions")
    columns += ["fraction", "95 %"]
    if corrected is not None:
        columns += ["corrected", "95 % "]
    rows = []
    for place, name in enumerate(table.classes):
        row: list[object] = [printable(name), int(table.labels[:, place].sum())]
        if table.predictions is not None:
            row.append(int(table.predictions[:, place].sum()))
        row += _share_cells(table.overall, place)
        if corrected is not None:
            row += _share_cells(corrected.overall, place)
        rows.append(row)
    report.table(columns, rows)
    overall = table.overall
    said = f"Fractions are of {table.use}; intervals: {overall.method or overall.why_none}."
    if corrected is not None:
        interval = corrected.overall.method or corrected.overall.why_none
        said += f" Corrected by the confusions of {printable(table.source)}; intervals: {interval}."
    report.say(said)


def _share_cells(shares: Shares, place: int) -> list[object]:
    value, low, high = (float(each[place]) for each in (shares.value, shares.low, shares.high))
    return [_percent(value), None if np.isnan(low) else f"{_percent(low)}–{_percent(high)}"]


def _percent(share: float) -> str | None:
    return None if np.isnan(share) else f"{100 * share:.1f} %"


def _show_groups(report: Report, table: CountTable) -> None:
    """Counts and shares of the groups, the classes beside each other."""
    counts, shares = table.counts, table.shares
    most = np.argsort(-counts.sum(axis=0), kind="stable")[:_MOST_CLASSES]
    places = sorted(most.tolist())
    columns = [*map(printable, table.groups.columns), "images", table.use]
    rows = []
    for group, names in enumerate(table.groups.names[:_MOST_GROUPS]):
        cells = [f"{counts[group, at]:,} ({percent(shares.value[group, at])})" for at in places]
        sums = int(counts[group].sum())
        rows.append(
            [
                *map(printable, names),
                int(table.images[group]),
                sums,
                *(cells if sums else [None] * len(places)),
            ]
        )
    report.table([*columns, *(printable(table.classes[at]) for at in places)], rows)
    hidden, left = len(table.groups.names) - _MOST_GROUPS, len(table.classes) - len(places)
    more = [*_more(hidden, "group"), *_more(left, "class", "classes")]
    if more:
        report.say(f"… and {' and '.join(more)}; --csv writes all.")


def _more(count: int, singular: str, plural: str | None = None) -> Iterator[str]:
    if count > 0:
        yield counted(count, f"more {singular}", f"more {plural or singular + 's'}")


def _show_unusual(report: Report, table: CountTable) -> None:
    """Groups that are enriched or depleted."""
    found = table.enrichment
    if found is None:
        return
    report.say()
    against = (
        "" if table.controls.all() else f" against {counted(int(table.controls.sum()), 'control group')}"
    )
    unusual = table.unusual()
    if not unusual:
        report.say(f"No group has unusually many or few images of a class{against} (q below 0.05).")
        return
    report.say(
        f"{counted(len(unusual), 'group and class', 'groups and classes')} with unusually many or few images"
        f"{against} (q below 0.05):"
    )
    rows = []
    for at in unusual[:_MOST_UNUSUAL]:
        score = float(found.score[at])
        rows.append(
            [
                *map(printable, table.groups.names[at[0]]),
                printable(table.classes[at[1]]),
                _percent(float(table.shares.value[at])),
                None if np.isnan(score) else f"{score:+.2f}",
                f"{found.p[at]:.2g}",
                f"{found.q[at]:.2g}",
            ]
        )
    columns = [*map(printable, table.groups.columns), "class", "fraction", "score", "p", "q"]
    report.table(columns, rows)
    if len(unusual) > _MOST_UNUSUAL:
        report.say(f"… and {counted(len(unusual) - _MOST_UNUSUAL, 'more', 'more')}; --csv writes all.")
