"""What `mia-tui labels import` checks and reads; the formats are those of `dataset.interchange.formats`."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.interchange.formats import (
    ExistingLabels,
    LabelFile,
    LabelFormat,
    format_named,
    format_of_file,
    formats_with,
    import_formats,
)
from mia_tui.errors import ConfigError
from mia_tui.text import counted, encode_cell, encode_name, printable

if TYPE_CHECKING:
    from mia_tui.cli.output.report import Report
    from mia_tui.dataset.interchange.copies.merging import Conflict
    from mia_tui.dataset.interchange.importing import UnknownClasses, Unmatched
    from mia_tui.dataset.scan.scan import Scan
    from mia_tui.paths import StateFolder

_FINGERPRINTS_S = 60.0
_MOST_CONFLICTS = 20  # that are printed; --json and --conflicts-out have all
_CONFLICT_COLUMNS = ("file", "frame", "mine", "mine_by", "mine_at", "theirs", "theirs_by", "theirs_at")


def choose_format(file: Path | None, file_format: str | None, classes: str | None) -> LabelFormat:
    """The format to import, after checking that options and FILE go with it.

    Raises:
        ConfigError: If they do not.
    """
    if file_format is not None:
        chosen = format_named(file_format)
    elif file is not None:
        chosen = format_of_file(file, import_formats())
    else:
        others = " or ".join(
            f"--format {known.name}" for known in import_formats() if known.reads == "dataset"
        )
        raise ConfigError("Which labels?", f"Name a CSV file, or pass {others}.")
    if chosen.reads == "file" and file is None:
        suffix = chosen.suffixes[0] if chosen.suffixes else ""
        raise ConfigError(
            f"--format {chosen.name} needs a file.", f"`mia-tui labels import DATASET FILE{suffix}`."
        )
    if chosen.reads == "dataset" and file is not None:
        raise ConfigError(
            f"--format {chosen.name} reads what is in the dataset, not {printable(file)}.",
            "Leave the file out.",
        )
    if classes is not None and "--classes" not in chosen.options:
        names = " or ".join(formats_with("--classes"))
        raise ConfigError(f"--classes names the numbers of --format {names}.", "Leave it out.")
    return chosen


def check_copy_options(
    chosen: LabelFormat, existing: ExistingLabels | None, conflicts_out: Path | None
) -> None:
    """Refuse options that only the labels.db of a copy has a use for.

    Raises:
        ConfigError: If another format is chosen, or the file for conflicts is there.
    """
    if chosen.name == "labels.db":
        if conflicts_out is not None and conflicts_out.exists():
            raise ConfigError(f"{printable(conflicts_out)} exists already.", "Name another file.")
        return
    if existing in ("newer", "opinion"):
        raise ConfigError(
            f"--existing {existing} is for a labels.db, which says who labelled what and when.",
            "Use replace or keep.",
        )
    if conflicts_out is not None:
        raise ConfigError(
            "--conflicts-out is for a labels.db.", "--dry-run --json lists the other labels of other files."
        )


def show_conflicts(
    report: "Report", conflicts: "Sequence[Conflict]", out: Path | None
) -> dict[str, list[dict[str, object]]]:
    """Print where the labels.db of a copy has another class than the dataset, and write it; returns it for --json.

    Raises:
        DataError: If the file cannot be written.
    """
    rows: list[dict[str, object]] = [
        {
            "file": encode_name(one.key.path),
            "frame": one.key.frame,
            "mine": one.mine,
            "mine_by": one.mine_by,
            "mine_at": one.mine_at,
            "theirs": one.theirs,
            "theirs_by": one.theirs_by,
            "theirs_at": one.theirs_at,
        }
        for one in conflicts
    ]
    if out is not None:
        _write_conflicts(out, rows)
    if rows:
        shown = [
            (one.key.path, f"{one.mine} ({one.mine_by})", f"{one.theirs} ({one.theirs_by})")
            for one in conflicts[:_MOST_CONFLICTS]
        ]
        report.say()
        report.table(("file", "here", "there"), shown)
        more = len(rows) - len(shown)
        report.say(f"{counted(len(rows), 'conflict')}" + (f", {more:,} of them not shown." if more else "."))
    return {"conflicts": rows}


def _write_conflicts(out: Path, rows: "Sequence[Mapping[str, object]]") -> None:
    import csv
    import io

    from mia_tui.dataset.interchange.export_file import replace_file

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CONFLICT_COLUMNS)
    for row in rows:
        writer.writerow([encode_cell(str(row[name])) for name in _CONFLICT_COLUMNS])
    replace_file(out, text.getvalue().encode())


def check_suggestions(
    chosen: LabelFormat, annotator: str | None, existing: ExistingLabels | None, *, dry_run: bool
) -> None:
    """Refuse what does not go with suggestions.

    Raises:
        ConfigError: If the format is none of files, or an option is about labels.
    """
    if chosen.reads != "file":
        raise ConfigError(
            f"--as suggestions imports a file, and --format {chosen.name} reads what is in the dataset.",
            "Name a file of predictions.",
        )
    if annotator is not None:
        raise ConfigError("--annotator names who labels, and suggestions are no labels.", "Leave it out.")
    if existing is not None or dry_run:
        option = "--dry-run" if dry_run else "--existing"
        raise ConfigError(f"{option} is about labels, and suggestions change none.", "Leave it out.")


def show_plan(
    report: "Report",
    place: "StateFolder",
    read: LabelFile,
    *,
    unknown_classes: "UnknownClasses",
    unmatched: "Unmatched",
    conflicts_out: Path | None = None,
) -> None:
    """Say what an import would change; nothing is written but the file for conflicts.

    Raises:
        LabelFileError: If the file is refused.
        StoreError: If the labels there are cannot be read.
    """
    from mia_tui.dataset.interchange.importing import plan_import
    from mia_tui.dataset.store.label_store import LabelStore

    with ExitStack() as opened:
        store = LabelStore.open_existing(place.labels_db)
        if store is not None:
            opened.enter_context(store)
        plan = plan_import(store, read, unknown_classes=unknown_classes, unmatched=unmatched)
    for sentence in plan.sentences:
        report.say(sentence)
    for note in plan.notes:
        report.warn(note)
    conflicts = show_conflicts(report, plan.compared.conflicts, conflicts_out) if plan.compared else {}
    report.say("Nothing was written.")
    report.record(
        {
            "images": len(read.labels),
            "new": plan.new,
            "same": plan.same,
            "different": [
                {"file": encode_name(key.path), "frame": key.frame, "class": old, "in_file": new}
                for key, (old, new) in plan.different.items()
            ],
            "by_people": plan.by_people,
            "created": plan.created,
            "notes": plan.notes,
            **conflicts,
        }
    )


def import_as_suggestions(
    report: "Report",
    dataset: Path,
    found: "Scan",
    place: "StateFolder",
    read: LabelFile,
    file: Path,
    *,
    state: Path | None,
    unknown_classes: "UnknownClasses",
    unmatched: "Unmatched",
) -> None:
    """Keep what was read as a finished prediction, and say what became of it.

    Raises:
        LabelFileError: If the file is refused; nothing is written.
        ConfigError: If nothing can be written.
    """
    import shlex
    import sys

    from mia_tui.dataset.class_rules import class_name
    from mia_tui.dataset.interchange.importing import check_file
    from mia_tui.paths import typed_dataset
    from mia_tui.runs.prediction.import_file import import_suggestions
    from mia_tui.text import name_some

    known = _known_classes(found, place)
    notes = [
        *check_file(read, known=known, unknown_classes=unknown_classes, unmatched=unmatched),
        *read.notes,
    ]
    command = shlex.join(["mia-tui", *sys.argv[1:]])
    run = import_suggestions(dataset, read, file, state=state, command=command)
    report.say(
        f"{counted(len(read.labels), 'suggestion')} imported from {read.name} as {printable(run.name)}."
    )
    new = sorted({class_name(name) for name in read.labels.values()} - known)
    if new:
        report.say(
            f"Classes that the dataset does not have: {name_some(new, limit=20)}. The app offers them as new."
        )
    for note in notes:
        report.warn(note)
    report.say(f"`mia-tui {typed_dataset(dataset, state)}` shows them.")
    report.record({"run": str(run.path), "suggestions": len(read.labels), "new_classes": new, "notes": notes})


def _known_classes(found: "Scan", place: "StateFolder") -> set[str]:
    """Names of the classes of the dataset: those in labels.db, else its folders if they are classes."""
    from mia_tui.dataset.interchange.folders import read_class_folders
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(place.labels_db)
    if store is None:
        folders = read_class_folders(found.keys)
        return set() if folders is None else set(folders.names)
    with store:
        return {image_class.name for image_class in store.classes(archived=True)}


def take_fingerprints_of(report: "Report", dataset: Path, labels_db: Path, annotator: str | None) -> None:
    """Take the fingerprints of labelled files that have none, for a minute at most: the labels are saved already.

    Raises:
        StoreError: If they cannot be kept.
    """
    from mia_tui.dataset.fingerprints import take_all_fingerprints
    from mia_tui.dataset.store.label_store import LabelStore

    with (
        LabelStore(labels_db, annotator=annotator) as store,
        report.counting("Reading what is labelled") as bar,
    ):
        left = take_all_fingerprints(
            store, dataset, most_s=_FINGERPRINTS_S, progress=lambda done: bar.update(done)
        )
    if left:
        report.warn(
            f"{counted(left, 'labelled image')} were not read yet, and lose their labels if they are renamed now.",
            "The next `mia-tui train` reads the others, and so does the app while no key is pressed, or the same "
            "import again.",
        )
