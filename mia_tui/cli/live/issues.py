"""`mia-tui labels issues`: labels that look wrong, near-duplicates with different labels, and outliers."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mia_tui.active.duplicates import different_duplicates
from mia_tui.active.label_issues import label_issues
from mia_tui.active.unfamiliar import outliers
from mia_tui.cli.live.learned import LiveImages, frame_of, read_live
from mia_tui.cli.output.report import Report
from mia_tui.dataset.store.review.records import IssueKind
from mia_tui.errors import ConfigError
from mia_tui.text import counted, encode_name, printable, typed

if TYPE_CHECKING:
    from mia_tui.dataset.model import ImageKey

_TITLES: dict[IssueKind, tuple[str, str]] = {
    "label": ("label looks wrong", "labels look wrong"),
    "duplicate": (
        "pair looks nearly the same and has different labels",
        "pairs look nearly the same and have different labels",
    ),
    "outlier": ("labelled image is unlike all others", "labelled images are unlike all others"),
}

Issue = dict[str, Any]
"""For --json: which issue, and file, frame and label of the image, with what else belongs to it."""


def list_issues(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    *,
    most: int,
    everything: bool,
    keep: Path | None,
    **how: Any,
) -> int:
    """Print what `mia-tui labels issues` lists, after keeping what `keep` confirms; returns the exit code.

    Args:
        report: Prints.
        dataset: Folder of images.
        state: The folder given with --state.
        annotator: Who keeps labels.
        most: How many of each kind are printed; --json has all.
        everything: Whether --json has all labels, not only doubtful ones.
        keep: A file of labels that are right.
        how: As for `read_live`.
    """
    if everything and not report.as_json:
        raise ConfigError("--all goes with --json.", "Add --json, or raise --most.")
    live = read_live(report, dataset, state, annotator, **how)
    if isinstance(live, int):
        return live
    live.check_classes("Label issues")
    if live.learned_by_network:
        report.warn(
            f"{counted(live.learned_by_network, 'label')} that {printable(live.network)} was trained on are left out."
        )
    if live.trained_elsewhere:
        report.warn(
            f"{printable(live.network)} was trained on none of these files. If it was trained on copies of them, it "
            "knows the labels by heart and finds few that are wrong."
        )
    if keep is not None:
        _keep(report, live, keep, annotator)
    found = {
        kind: list(_ISSUES[kind](live, live.mask(_kept(live, kind)), everything))
        for kind in get_args(IssueKind)
    }
    for issues in found.values():
        for issue in issues:
            report.record(issue)
    if not report.as_json:
        for kind, issues in found.items():
            _show(report, kind, issues, most)
        if any(found.values()):
            report.say(f"`mia-tui {typed(dataset)}`, then Ctrl+D, shows them one by one.")
    return 0


def _labels(live: LiveImages, kept: Any, everything: bool) -> Iterator[Issue]:
    found = label_issues(live.suggester.points, live.labelled, live.class_ids, live.groups).without(kept)
    count = len(found) if everything else found.doubtful
    for at in range(count):
        yield {
            **_image(live, "label", int(found.rows[at]), int(found.said[at])),
            "suggested": live.names[int(found.suggested[at])],
            "probability": round(float(found.probabilities[at]), 5),
            "said_probability": round(float(found.said_probabilities[at]), 5),
        }


def _duplicates(live: LiveImages, kept: Any, everything: bool) -> Iterator[Issue]:
    found = different_duplicates(live.vectors, live.labelled, live.class_ids, live.contents).without(kept)
    said = dict(zip(live.labelled.tolist(), live.class_ids.tolist(), strict=True))
    for first, second, distance, exact in zip(
        found.first.tolist(),
        found.second.tolist(),
        found.distances.tolist(),
        found.exact.tolist(),
        strict=True,
    ):
        other = _image(live, "duplicate", second, said[second])
        yield {
            **_image(live, "duplicate", first, said[first]),
            "other_file": other["file"],
            "other_frame": other["frame"],
            "other_said": other["said"],
            "distance": round(distance, 5),
            "exact": exact,
        }


def _outliers(live: LiveImages, kept: Any, everything: bool) -> Iterator[Issue]:
    rows, distances = outliers(live.vectors, live.labelled, live.groups)
    said = dict(zip(live.labelled.tolist(), live.class_ids.tolist(), strict=True))
    for row, distance in zip(rows.tolist(), distances.tolist(), strict=True):
        if not kept[row]:
            yield {**_image(live, "outlier", row, said[row]), "distance": round(distance, 3)}


_ISSUES = {"label": _labels, "duplicate": _duplicates, "outlier": _outliers}


def _image(live: LiveImages, kind: IssueKind, row: int, said: int) -> Issue:
    key = live.keys[row]
    return {"issue": kind, "file": encode_name(key.path), "frame": frame_of(key), "said": live.names[said]}


def _show(report: Report, kind: IssueKind, issues: list[Issue], most: int) -> None:
    one, several = _TITLES[kind]
    report.say(
        f"{counted(len(issues), one, several)}." if not issues else f"{counted(len(issues), one, several)}:"
    )
    columns = {
        "label": ("file", "frame", "said", "suggested", "probability"),
        "duplicate": ("file", "frame", "said", "other_file", "other_frame", "other_said", "distance"),
        "outlier": ("file", "frame", "said", "distance"),
    }[kind]
    if issues:
        heads = ["you said" if name == "said" else name.replace("_", " ") for name in columns]
        report.table(heads, [[_cell(issue[name]) for name in columns] for issue in issues[:most]])
    if len(issues) > most:
        report.say(f"… and {len(issues) - most:,} more; --most shows more, --json all.")


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.2f}"
    return printable(value) if isinstance(value, str) else value


def _kept(live: LiveImages, kind: IssueKind) -> "set[ImageKey]":
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(live.found.state.labels_db)
    if store is None:
        return set()
    with store:
        return store.kept(kind)


def _keep(report: Report, live: LiveImages, file: Path, annotator: str | None) -> None:
    """Keep the labels that a file confirms; those that it contradicts are named."""
    from mia_tui.dataset.interchange.formats import format_of_file, import_formats
    from mia_tui.dataset.interchange.reading import read_labels_of
    from mia_tui.dataset.store.label_store import LabelStore

    live.check_store("which are right")
    labelled = live.found.labelled
    read = read_labels_of(
        live.found.root, live.found.scan, format_of_file(file, import_formats()), file, None
    )
    names = {key: labelled.classes[at].name for key, at in labelled.labels.items()}
    same = [key for key, name in read.labels.items() if names.get(key) == name]
    with LabelStore(live.found.state.labels_db, annotator=annotator) as store, store.transaction():
        known = {labelled.here(key): key for key in store.labels()}
        for kind in get_args(IssueKind):
            store.keep_issues([known[key] for key in same if key in known], kind)
    report.say(f"{counted(len(same), 'label')} kept.")
    others = len(read.labels) - len(same)
    if others:
        report.warn(
            f"{counted(others, 'image has', 'images have')} another label than {printable(file)} says: nothing was "
            "changed there.",
            f"`mia-tui labels import {typed(live.found.root)} {typed(file)}` takes the labels of the file.",
        )
