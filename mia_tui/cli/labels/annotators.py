"""What several annotators say: `mia-tui labels second`, `labels agreement` and `labels disputes`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import scan_images
from mia_tui.cli.shared.options import Option, dataset_argument, json_option, state_options
from mia_tui.errors import ConfigError, DataError
from mia_tui.paths import find_state
from mia_tui.text import counted, encode_name, name_some, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mia_tui.active.agreement import Agreement, Figure
    from mia_tui.dataset.model import ImageKey
    from mia_tui.dataset.store.label_store import LabelStore
    from mia_tui.dataset.store.review.ratings import Dispute

_MOST_PAIRS = 3  # of annotators, whose matrices are printed; --json has all of them


@click.command("second", short_help="Draw images for a blind second pass.")
@dataset_argument
@click.option("--share", cls=Option, metavar="SHARE", help="Share of the labelled images, as 10% or 0.1.")
@click.option("--images", cls=Option, type=click.IntRange(1), metavar="N", help="How many images, instead.")
@click.option(
    "--seed", cls=Option, type=click.IntRange(0), default=0, metavar="N", help="Draw others. [default 0]"
)
@click.option(
    "--end", cls=Option, is_flag=True, help="Forget which images were drawn; what was said of them stays."
)
@state_options
@json_option
def second_command(
    dataset: Path,
    share: str | None,
    images: int | None,
    seed: int,
    end: bool,
    state: Path | None,
    annotator: str | None,
    as_json: bool,
) -> None:
    """Draw labelled images of DATASET that other annotators label again, without seeing the label.

    Of each class the same share is drawn at random. Images drawn before stay drawn, and count. In the app the command
    "Second pass" shows them to everybody but the person who labelled them; what is said there is kept beside the
    labels, which stay as they are. Without an option, this says how far it is.

    `mia-tui labels agreement` then says how well annotators agree, and `labels disputes` where they do not.
    """
    report = Report(as_json=as_json)
    if (share is not None) + (images is not None) + end > 1:
        raise ConfigError("--share, --images and --end exclude each other.", "Give one of them.")
    wanted_share = None if share is None else read_share(share)
    with _labels_of(report, dataset, state, annotator) as (store, listed):
        if end:
            ended = store.end_second_pass()
            report.say(f"{counted(ended, 'image')} drawn are forgotten; what was said of them stays.")
            report.record({"ended": ended})
            return
        new = None
        if share is not None or images is not None:
            new = _draw(store, listed, wanted_share, images, seed)
        _show_pass(report, store, listed, new)


def read_share(text: str) -> float:
    """A share of the images, as `10%` or `0.1`.

    Raises:
        ConfigError: If it is none.
    """
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise ConfigError(f"--share {printable(text)} is no share.", "Give one as 10% or 0.1, at most 100%.")
    return share


def _draw(
    store: "LabelStore", listed: "set[ImageKey]", share: float | None, images: int | None, seed: int
) -> int:
    """Draw images, of those that are there; returns how many are new."""
    from mia_tui.dataset.store.review.opinions import choose_second_pass

    active = {known.id for known in store.classes()}
    labels = {
        key: label.class_id
        for key, label in store.labels().items()
        if label.class_id in active and key in listed
    }
    if not labels:
        raise DataError("No image has a label yet.", "Label some first; a second pass labels them again.")
    count = images if share is None else max(1, round(share * len(labels)))
    assert count is not None
    if count > len(labels):
        raise ConfigError(
            f"--images {count}: only {counted(len(labels), 'image has', 'images have')} a label."
        )
    return store.draw_second_pass(choose_second_pass(labels, store.second_pass(), count, seed=seed))


def _show_pass(report: Report, store: "LabelStore", listed: "set[ImageKey]", new: int | None) -> None:
    from mia_tui.dataset.store.review.opinions import progress_words

    drawn, labels = store.second_pass(), store.labels()
    names = {known.id: known.name for known in store.classes()}
    rows = [
        {
            "class": name,
            "labelled": sum(label.class_id == id and key in listed for key, label in labels.items()),
            "drawn": sum(key in labels and labels[key].class_id == id for key in drawn),
        }
        for id, name in names.items()
    ]
    said = store.opinions()
    people = {who for key in drawn for who in said.get(key, ())}
    progress = {who: store.second_pass_of(who) for who in sorted(people)}
    if drawn:
        more = "" if new is None else f", {new:,} of them new"
        report.say(f"{counted(len(drawn), 'image')} to label again{more}.")
        report.table(("class", "labelled", "drawn"), [list(row.values()) for row in rows])
        for who, mine in progress.items():
            report.say(f"{printable(who)}: {progress_words(mine)}.")
        if not progress:
            report.say('Nobody has begun; in the app, that is the command "Second pass" (Ctrl+P).')
    else:
        report.say("No images are drawn for a second pass; --share 10% draws some.")
    report.record(
        {
            "drawn": len(drawn),
            "new": new or 0,
            "classes": rows,
            "annotators": [
                {
                    "annotator": who,
                    "images": len(mine),
                    "labelled": sum(one is not None for one in mine.values()),
                }
                for who, mine in progress.items()
            ],
        }
    )


@click.command("agreement", short_help="How well annotators agree.")
@dataset_argument
@state_options
@json_option
def agreement_command(dataset: Path, state: Path | None, annotator: str | None, as_json: bool) -> None:
    """Say how well the annotators of DATASET agree, on images that at least two of them judged on their own.

    Two annotators: Cohen's kappa, with the exact interval of their raw agreement. More: Fleiss' kappa in Gwet's form
    for images that not all of them judged, with his interval; and Cohen's for each two. Intervals are of 95 %. What a
    class agrees by is the same with all others as one. An imported label is that of `NAME (import)`. Where a dispute
    was decided, what was said before counts.
    """
    import numpy as np

    from mia_tui.active.agreement import agreement

    report = Report(as_json=as_json)
    with _labels_of(report, dataset, state, annotator) as (store, _):
        names, said = _ratings(store)
    raters = sorted({who for of_image in said.values() for who in of_image})
    places = {id: place for place, id in enumerate(names)}
    ratings = np.array(
        [[places[of_image[who]] if who in of_image else -1 for who in raters] for of_image in said.values()],
        np.int32,
    )
    classes = list(names.values())
    whole, pairs = agreement(ratings, len(classes)), list(_pairs(ratings, raters, len(classes)))
    _show_agreement(report, whole, classes, raters)
    _show_pairs(report, pairs, classes)
    report.record(
        {
            "images": whole.images,
            "annotators": raters,
            "kappa_of": "cohen" if len(raters) == 2 else "fleiss",
            **_record_of(whole),
            "classes": [
                {"class": name, "named": int(count), "kappa": _numbers(kappa)}
                for name, count, kappa in zip(classes, whole.counts, whole.classes, strict=True)
            ],
            "pairs": [
                {
                    "annotators": [one, other],
                    "images": of_pair.images,
                    **_record_of(of_pair),
                    "matrix": table.tolist(),
                }
                for one, other, of_pair, table in pairs
            ],
        }
    )


def _ratings(store: "LabelStore") -> "tuple[dict[int, str], dict[ImageKey, dict[str, int]]]":
    """Names of the classes, and what was said of the images that two people judged.

    Raises:
        DataError: If there are none.
    """
    from mia_tui.dataset.store.review.ratings import ratings_of

    names = {known.id: known.name for known in store.classes()}
    said = ratings_of(store.labels(), store.opinions(), store.decisions(), names)
    if not said:
        raise DataError(
            "No image was judged by two people on their own.",
            "Draw some for a second pass: `mia-tui labels second DATASET --share 10%`.",
        )
    return names, said


def _show_agreement(
    report: Report, whole: "Agreement", classes: Sequence[str], raters: Sequence[str]
) -> None:
    report.say(f"{counted(whole.images, 'image')} judged by two or more of {name_some(raters, 20)}.")
    kind = "Cohen's kappa" if len(raters) == 2 else "Fleiss' kappa"
    report.table(
        ("figure", "value", "95 % from", "to"),
        [("raw agreement", *_cells(whole.raw)), (kind, *_cells(whole.kappa))],
    )
    report.say()
    report.table(
        ("class", "named", "kappa", "95 % from", "to"),
        [
            (name, int(count), *_cells(kappa))
            for name, count, kappa in zip(classes, whole.counts, whole.classes, strict=True)
        ],
    )


_Pair = tuple[str, str, "Agreement", "NDArray[np.int64]"]


def _pairs(ratings: "NDArray[np.int32]", raters: Sequence[str], classes: int) -> Iterator[_Pair]:
    """Each two annotators who judged the same images, their agreement, and who named what."""
    from mia_tui.active.agreement import agreement, confusion

    for one, other in combinations(range(len(raters)), 2):
        table = confusion(ratings[:, one], ratings[:, other], classes)
        if table.sum():
            yield raters[one], raters[other], agreement(ratings[:, [one, other]], classes), table


def _show_pairs(report: Report, pairs: Sequence[_Pair], classes: Sequence[str]) -> None:
    if len(pairs) > 1:
        report.say()
        report.table(
            ("annotators", "images", "raw", "kappa", "95 % from", "to"),
            [
                (f"{one}, {other}", of_pair.images, f"{of_pair.raw.value:.3f}", *_cells(of_pair.kappa))
                for one, other, of_pair, _ in pairs
            ],
        )
    for one, other, _, table in pairs[:_MOST_PAIRS]:
        report.say()
        report.say(f"Rows {printable(one)}, columns {printable(other)}:")
        used = [place for place in range(len(classes)) if table[place].sum() + table[:, place].sum()]
        report.table(
            ("class", *(classes[place] for place in used)),
            [(classes[place], *(int(table[place, other]) for other in used)) for place in used],
        )


@click.command("disputes", short_help="Images on which annotators differ.")
@dataset_argument
@click.option("--all", "closed", cls=Option, is_flag=True, help="Also those that were decided.")
@state_options
@json_option
def disputes_command(
    dataset: Path, closed: bool, state: Path | None, annotator: str | None, as_json: bool
) -> None:
    """List the images of DATASET whose label and opinions name different classes.

    In the app, the command "Disputes" shows them one after the other; the key of a class decides.
    """
    from mia_tui.dataset.store.review.ratings import find_disputes

    report = Report(as_json=as_json)
    with _labels_of(report, dataset, state, annotator) as (store, _):
        names = {known.id: known.name for known in store.classes()}
        found = find_disputes(store.labels(), store.opinions(), store.decisions(), names, closed=closed)
    rows = [_dispute_row(dispute, names) for dispute in found]
    if rows:
        columns = ("file", "frame", "label", "who says what", *(("decided",) if closed else ()))
        report.table(columns, [row[: len(columns)] for row in rows])
        report.say()
    report.say(f"{counted(sum(dispute.decided is None for dispute in found), 'dispute')} to decide.")
    report.record(
        {
            "disputes": [
                {
                    "file": encode_name(dispute.key.path),
                    "frame": dispute.key.frame,
                    "label": None if dispute.label is None else names[dispute.label.class_id],
                    "said": {who: names[id] for who, id in dispute.said.items()},
                    "decided": None if dispute.decided is None else names[dispute.decided],
                }
                for dispute in found
            ]
        }
    )


def _dispute_row(dispute: "Dispute", names: dict[int, str]) -> tuple[object, ...]:
    said = ", ".join(f"{who}: {names[id]}" for who, id in dispute.said.items())
    label = "" if dispute.label is None else names[dispute.label.class_id]
    decided = "" if dispute.decided is None else names[dispute.decided]
    return dispute.key.path, dispute.key.frame, label, said, decided


@contextmanager
def _labels_of(
    report: Report, dataset: Path, state: Path | None, annotator: str | None
) -> "Iterator[tuple[LabelStore, set[ImageKey]]]":
    """The open labels.db of a dataset, and its images.

    Raises:
        DataError: If there is no labels.db yet.
    """
    from mia_tui.dataset.interchange.folders import read_class_folders
    from mia_tui.dataset.store.label_store import LabelStore, stack_mode

    found = scan_images(report, dataset, "first")
    place = find_state(dataset, state, class_folders=read_class_folders(found.keys) is not None)
    store = LabelStore.open_existing(place.labels_db, annotator=annotator)
    if store is None:
        raise DataError(
            f"{printable(dataset)} has no labels of its own yet.",
            "Label images in the app, or import labels: `mia-tui labels import` (class folders: --format folders).",
        )
    with store:
        yield store, set(found.labelled_as(stack_mode(place.labels_db)).keys)


def _cells(figure: "Figure") -> list[str]:
    return [f"{value:.3f}" for value in _numbers(figure)]


def _numbers(figure: "Figure") -> list[float]:
    """Value, low, high."""
    return [figure.value, figure.low, figure.high]


def _record_of(found: "Agreement") -> dict[str, list[float]]:
    return {"raw": _numbers(found.raw), "kappa": _numbers(found.kappa)}
