"""What `mia-tui labels import` checks and reads; the formats are those of `dataset.interchange.formats`."""

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
from mia_tui.text import encode_name, printable

if TYPE_CHECKING:
    from mia_tui.cli.report import Report
    from mia_tui.dataset.interchange.importing import UnknownClasses, Unmatched
    from mia_tui.dataset.scan.scan import Scan
    from mia_tui.paths import StateFolder

_FINGERPRINTS_S = 60.0


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


def check_suggestions(
    chosen: LabelFormat, annotator: str | None, existing: ExistingLabels, *, dry_run: bool
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
    if existing != "replace" or dry_run:
        option = "--dry-run" if dry_run else "--existing"
        raise ConfigError(f"{option} is about labels, and suggestions change none.", "Leave it out.")


def show_plan(
    report: "Report",
    place: "StateFolder",
    read: LabelFile,
    *,
    unknown_classes: "UnknownClasses",
    unmatched: "Unmatched",
) -> None:
    """Say what an import would change; nothing is written.

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
    from mia_tui.text import counted, name_some

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
    from mia_tui.text import counted

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
