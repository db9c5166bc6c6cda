"""The figures of results as text."""

from typing import TYPE_CHECKING

from mia_tui.analysis.metrics import LEAST_GROUPS, LEAST_IMAGES, ClassEstimates, Estimate
from mia_tui.catalog.metrics import metric_words
from mia_tui.cli.output import tables
from mia_tui.cli.output.report import Report
from mia_tui.cli.results.figures import CalibrationFigures, ResultFigures
from mia_tui.cli.results.options import ShownResults
from mia_tui.text import counted, name_some, printable

if TYPE_CHECKING:
    from mia_tui.runs.evaluation.results import Results

_NARROW = 0.05
_UNDEFINED = ("no images", "never predicted")
_NO_PROBABILITIES = (
    "This run does not record the probabilities of its images, so there are no areas, no calibration and no losses; "
    "`mia-tui evaluate` with the same network records them."
)


def print_figures(report: Report, figures: ResultFigures, shown: ShownResults) -> None:
    """Print everything: matrix, metrics of each class and of all, calibration and the largest losses."""
    results, table = figures.results, figures.table
    report.say(f"{_images(figures)}:")
    _warn_of_absent_classes(report, figures)
    report.confusion(
        figures.counts.tolist(), results.classes, shares=shown.shares, by_similarity=shown.by_similarity
    )
    report.say()
    report.table(
        ("class", "images", "precision", "recall", "F1"),
        [
            (row.name, row.support, *(cell(each) for each in (row.precision, row.recall, row.f1)))
            for row in table.by_class
        ],
    )
    report.say()
    _print_separations(report, figures)
    report.say()
    report.table(("metric", "value", "95 % interval", ""), _overall_rows(figures))
    if any("too few" in each.why_none for row in table.by_class for each in (row.recall, row.mcc)):
        report.say(
            f"Too few for an interval: below {LEAST_GROUPS} groups, or {LEAST_IMAGES} images of a class (MCC, or any "
            "figure where images are in groups)."
        )
    if figures.calibration is not None:
        report.say(_calibration_sentence(figures.calibration))
    if results.log_probabilities is None:
        report.note(_NO_PROBABILITIES)
    _print_losses(report, figures)


def cell(estimate: Estimate) -> str:
    """A figure with its interval, as `0.912 0.87-0.94`; a narrow one with three digits."""
    if estimate.why_none in _UNDEFINED:
        return "–"
    value = f"{estimate.value:.3f}"
    if estimate.interval is None:
        return f"{value} {estimate.why_none.partition(':')[0]}"
    low, high = estimate.interval.low, estimate.interval.high
    digits = 3 if high - low < _NARROW else 2
    return f"{value} {low:.{digits}f}-{high:.{digits}f}"


def ends(estimate: Estimate) -> str:
    """The interval of a figure over all classes, as `0.8712-0.9411`."""
    interval = estimate.interval
    return "–" if interval is None else f"{interval.low:.4f}-{interval.high:.4f}"


def file_words(results: "Results", row: int) -> str:
    """An image, with the frame where it is one of several."""
    key = results.keys[row]
    return printable(key.path) + (f" frame {key.frame}" if key.frame else "")


def _images(figures: ResultFigures) -> str:
    results = figures.results
    words = counted(figures.image_count, "image")
    if results.split != "all":
        words += f" of the part {printable(results.split)}"
    if results.tta:
        words += " (the mean over flips and turns of each)"
    if figures.group_count == figures.image_count:
        return words
    by = "file" if results.group_by is None else f"'{printable(results.group_by)}'"
    return f"{words}, in {counted(figures.group_count, 'group')} by {by}"


def _print_separations(report: Report, figures: ResultFigures) -> None:
    """MCC and the areas below both curves of each class."""
    areas = figures.areas
    rows: list[tuple[object, ...]] = []
    for place, row in enumerate(figures.table.by_class):
        rows.append((row.name, cell(row.mcc), *_areas_of(figures, place, row)))
    columns = ("class", "MCC") if areas is None else ("class", "MCC", "ROC area", "average precision")
    report.table(columns, rows)


def _areas_of(figures: ResultFigures, place: int, row: ClassEstimates) -> tuple[float | None, ...]:
    areas = figures.areas
    if areas is None:
        return ()
    has_both = 0 < row.support < figures.image_count
    return (
        float(areas.roc[place]) if has_both else None,
        float(areas.precision_recall[place]) if row.support else None,
    )


def _overall_rows(figures: ResultFigures) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for name in tables.FIGURES:
        estimate = figures.table.overall[name]
        how = estimate.why_none if estimate.interval is None else estimate.interval.method
        rows.append((metric_words(name), estimate.value, ends(estimate), printable(how)))
    areas = figures.areas
    if areas is not None:
        rows += [
            (name, value, "–", "mean of the classes")
            for name, value in (
                ("ROC area", areas.macro_roc),
                ("average precision", areas.macro_precision_recall),
            )
            if value is not None
        ]
    return rows


def _calibration_sentence(calibration: CalibrationFigures) -> str:
    error = f"Calibration error {calibration.error:.4f}"
    if calibration.temperature is None or calibration.error_after is None:
        return f"{error}; {printable(calibration.source)}."
    after = f"{calibration.error_after:.4f} with the temperature {calibration.temperature:.3f}"
    return f"{error}, and {after} ({printable(calibration.source)})."


def _print_losses(report: Report, figures: ResultFigures) -> None:
    if not figures.losses:
        return
    classes = figures.results.classes
    report.say()
    report.say(f"The {counted(len(figures.losses), 'image')} with the largest loss:")
    report.table(
        ("file", "truth", "predicted", "probability", "loss"),
        [
            (
                file_words(figures.results, each.row),
                classes[each.truth],
                classes[each.predicted],
                each.probability,
                each.loss,
            )
            for each in figures.losses
        ],
    )


def _warn_of_absent_classes(report: Report, figures: ResultFigures) -> None:
    """Warn of classes that were predicted but have no image, since they count as 0 in the macro averages."""
    predicted, truth = figures.counts.sum(axis=0), figures.counts.sum(axis=1)
    absent = [
        name
        for name, said, there in zip(figures.results.classes, predicted, truth, strict=True)
        if said and not there
    ]
    if absent:
        report.warn(
            f"No image is of class {name_some(absent)}, but some were predicted as it: "
            "it counts as 0 in the macro averages, and is left out of balanced accuracy."
        )
