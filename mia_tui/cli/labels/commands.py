"""`mia-tui labels`: import and export labels, count them, split the dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from mia_tui.cli.labels.annotators import agreement_command, disputes_command, second_command
from mia_tui.cli.labels.export import (
    choose_export,
    export_labels,
)
from mia_tui.cli.labels.format_option import format_option, one_of
from mia_tui.cli.labels.import_file import (
    check_copy_options,
    check_suggestions,
    choose_format,
    import_as_suggestions,
    show_conflicts,
    show_plan,
    take_fingerprints_of,
)
from mia_tui.cli.labels.review import audit_command, issues_command
from mia_tui.cli.labels.stacks import stacks_command
from mia_tui.cli.labels.stats import (
    rule_of,
    show_counts,
    show_rule,
    show_split,
    without_fixed,
)
from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import scan_images
from mia_tui.cli.shared.options import (
    Function,
    Group,
    Option,
    dataset_argument,
    field_option,
    json_option,
    path_argument,
    path_option,
    require_command,
    state_options,
)
from mia_tui.dataset.interchange.formats import (
    ExistingLabels,
    Transfer,
    export_formats,
    import_formats,
)
from mia_tui.paths import StateFolder, find_state
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.config.train import Frames, LabelSource
    from mia_tui.dataset.dataset import Dataset
    from mia_tui.dataset.scan.scan import Scan
    from mia_tui.dataset.store.label_store import LabelStore


def _where_options(function: Function) -> Function:
    """--labels, --frames, --state and --annotator; they arrive as `**where` for `_dataset`."""
    return field_option("labels")(field_option("frames")(state_options(function)))


@click.group("labels", cls=Group, invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Import, export, count and split labels; compare those of several people."""
    require_command(ctx)


for each in (
    stacks_command,
    issues_command,
    audit_command,
    second_command,
    agreement_command,
    disputes_command,
):
    command.add_command(each)


@command.command("import", short_help="Import labels of another program.")
@dataset_argument
@path_argument("file", required=False)
@format_option(import_formats, lambda known: known.import_help)
@click.option("--classes", cls=Option, metavar="A,B,…", help="Names of MIA's class numbers, from 0.")
@click.option(
    "--unknown-classes",
    cls=Option,
    type=one_of("create", "refuse"),
    default="create",
    help="Classes the dataset does not have yet. [default create]",
)
@click.option(
    "--unmatched",
    cls=Option,
    type=one_of("skip", "refuse"),
    default="skip",
    help="Rows that name no image. [default skip]",
)
@click.option(
    "--existing",
    cls=Option,
    type=one_of(*get_args(ExistingLabels)),
    help="Other labels that images have already; newer and opinion only for a labels.db: the later label stays, or "
    "theirs becomes an opinion beside the label. [default replace, keep for a labels.db]",
)
@path_option("--conflicts-out", "CSV file for the images that a labels.db labels otherwise.")
@click.option("--dry-run", cls=Option, is_flag=True, help="Say what would change, and write nothing.")
@click.option(
    "--as",
    "wanted",
    cls=Option,
    type=one_of("labels", "suggestions"),
    default="labels",
    help="suggestions: predictions of a model, which the app shows and only a person makes labels. [default labels]",
)
@click.option(
    "--pages",
    cls=Option,
    is_flag=True,
    help="Frames in FILE are pages of a TIFF, channels too, as mia-tui 0.1.0 and MIA count them.",
)
@field_option("frames")
@state_options
@json_option
def import_command(
    dataset: Path,
    file: Path | None,
    file_format: str | None,
    classes: str | None,
    unknown_classes: Literal["create", "refuse"],
    unmatched: Literal["skip", "refuse"],
    existing: ExistingLabels | None,
    conflicts_out: Path | None,
    dry_run: bool,
    wanted: Literal["labels", "suggestions"],
    pages: bool,
    frames: "Frames | None",
    state: Path | None,
    annotator: str | None,
    as_json: bool,
) -> None:
    """Import labels of another program, or predictions of a model, into DATASET.

    A CSV file has a first line that names its columns: file and class, and optionally frame, counted from 0.
    An empty frame means every frame, or the whole stack where stacks are labelled so. Frames are numbered by time,
    depth, field of view or page; channels are no frames, except with --pages. Either the whole file is imported, or
    nothing. A file that ends in .jsonl has an object with the same names on each line.

    --dry-run says how many images would get a label, and which have another one now; --existing keep leaves those.

    The labels.db of a copy of DATASET (somebody else's, or a backup) is merged: its labels come with their annotators
    and times, and so do notes, flags, opinions and audits. Images are found by path, or by content if they were
    renamed. Where both sides labelled an image otherwise, that is a conflict: it is listed, and your label stays
    unless --existing says otherwise. `mia-tui labels disputes` lists what was kept as an opinion.

    With --as suggestions a column probability is read, too, and classes that DATASET does not have are offered as new
    in the app; the file is listed as a prediction that has finished.

    \b
    The columns may also be called, in any case, with or without spaces, _ and -:
      file   filename, filepath, path, image, imagename, imagefile,
             imagepath, imagefilename, img, imgname, imgfile, imgpath,
             fname, files, filenames, filepaths, paths, images,
             relativepath; or else name, imageid, fileid, id
      class  classname, classlabel, label, labels, labelname, category,
             categoryname, classes; or else target, groundtruth, truth,
             annotation, tag, y, choice, truelabel, classid, labelid
      frame  frameindex, framenumber, frameno

    Cells are separated by comma, semicolon, tab or bar, or as a line sep=; says; the text is UTF-8 or UTF-16. Paths
    are relative to DATASET, its parent, or the folder of FILE. A bare file name is enough if it is unique; of a path
    from another computer (C:\\data\\a.png, /old/a.png) the longest ending that matches one image is used.
    """
    from mia_tui.dataset.interchange.importing import import_into
    from mia_tui.dataset.interchange.reading import read_labels_of
    from mia_tui.text import counted, name_some

    report = Report(as_json=as_json)
    chosen = choose_format(file, file_format, classes)
    check_copy_options(chosen, existing, conflicts_out)
    if wanted == "suggestions":
        check_suggestions(chosen, annotator, existing, dry_run=dry_run)
    found, place = _scan(report, dataset, state, frames, writes=not dry_run, label_file=file)
    counted_as, predicted = (frames or "first") if pages else None, wanted == "suggestions"
    read = read_labels_of(dataset, found, chosen, file, classes, probabilities=predicted, pages=counted_as)
    if dry_run:
        show_plan(
            report,
            place,
            read,
            unknown_classes=unknown_classes,
            unmatched=unmatched,
            conflicts_out=conflicts_out,
        )
        return
    if predicted and file is not None:
        import_as_suggestions(
            report,
            dataset,
            found,
            place,
            read,
            file,
            state=state,
            unknown_classes=unknown_classes,
            unmatched=unmatched,
        )
        return
    done = import_into(
        place.labels_db,
        read,
        annotator=annotator,
        unknown_classes=unknown_classes,
        unmatched=unmatched,
        existing=existing,
        first=lambda store: _follow(report, store, found, dataset),
    )
    labelled = "with a label there" if read.copy else "labelled"
    report.say(f"{counted(done.images, 'image')} {labelled}, {done.changed:,} of them new or changed.")
    if done.created:
        report.say(f"New classes: {name_some(done.created, limit=20)}.")
    for note in done.notes:
        report.warn(note)
    conflicts = show_conflicts(report, done.conflicts, conflicts_out) if read.copy is not None else {}
    take_fingerprints_of(report, dataset, place.labels_db, annotator)
    report.record(
        {
            "images": done.images,
            "changed": done.changed,
            "created": done.created,
            "skipped": done.skipped,
            "kept": done.kept,
            "notes": done.notes,
            **conflicts,
        }
    )


@command.command("export", short_help="Write labels for other programs.")
@dataset_argument
@path_argument("file", required=False)
@format_option(export_formats, lambda known: known.export_help)
@click.option(
    "--transfer",
    cls=Option,
    type=one_of(*get_args(Transfer)),
    help="How --format folders puts the images there. [default copy]",
)
@click.option(
    "--parts",
    cls=Option,
    is_flag=True,
    help="--format folders: folders train, val and test above those of the classes.",
)
@click.option(
    "--overwrite", cls=Option, is_flag=True, help="Replace FILE, or MIA's label files, if they exist."
)
@click.option(
    "--include-missing",
    cls=Option,
    is_flag=True,
    help="--format csv: also the labels of images that are missing.",
)
@_where_options
def export_command(
    dataset: Path,
    file: Path | None,
    file_format: str | None,
    transfer: Transfer | None,
    parts: bool,
    overwrite: bool,
    include_missing: bool,
    **where: Any,
) -> None:
    """Write the labels of DATASET for other programs."""
    from mia_tui.dataset.dataset import parts_of

    report = Report()
    chosen = choose_export(
        file_format,
        file,
        transfer=transfer,
        parts=parts,
        overwrite=overwrite,
        include_missing=include_missing,
    )
    found = _dataset(
        report, dataset, keep_empty=chosen.keeps_empty_classes, keep_missing=include_missing, **where
    )
    export_labels(
        report,
        found,
        chosen,
        file,
        transfer=transfer or "copy",
        parts=parts_of(found) if parts else None,
        overwrite=overwrite,
        include_missing=include_missing,
    )


@command.command("adopt", short_help="Use labels and runs from before a dataset was renamed.")
@dataset_argument
@path_argument("left", required=False)
def adopt_command(dataset: Path, left: Path | None) -> None:
    """Use the labels, split and runs of DATASET from before it was renamed.

    For class folders they are beside the dataset, in OLD.mia. LEFT is that folder; by default it is found by the
    images that it lists. It is renamed. If DATASET already has labels or runs, nothing is done.
    """
    from mia_tui.errors import DataError
    from mia_tui.runs.list.orphaned_state import adopt, find_orphaned_state, refuse_own_state

    report = Report()
    refuse_own_state(dataset)
    found = scan_images(report, dataset, "first")
    if left is None:
        left = find_orphaned_state(dataset, lambda: {file.path for file in found.files})
    if left is None:
        raise DataError(
            f"There is no folder beside {printable(dataset)} whose labels fit its images and whose own dataset is "
            "gone.",
            "Name the folder: `mia-tui labels adopt DATASET OLD.mia`.",
        )
    place = adopt(dataset, left)
    report.say(
        f"{printable(left)} was renamed to {printable(place.root)}: its labels, split and runs are used again."
    )


@command.command("stats", short_help="Count images by class and part.")
@dataset_argument
@_where_options
@json_option
def stats_command(
    dataset: Path,
    as_json: bool,
    **where: Any,
) -> None:
    """Count the images of each class and part of DATASET, and show the rule of its split."""
    from mia_tui.dataset.dataset import parts_of

    report = Report(as_json=as_json)
    found = _dataset(report, dataset, **where)
    rule = rule_of(found.state)
    show_counts(report, found, parts_of(found), rule)
    show_rule(report, found, rule)


@command.command("split", short_help="Make or show the split.")
@dataset_argument
@click.option("--new", cls=Option, is_flag=True, help="Make a new split, with the options given.")
@field_option("val_fraction")
@field_option("test_fraction")
@field_option("group_by")
@field_option("split_seed")
@_where_options
@json_option
def split_command(
    dataset: Path,
    new: bool,
    val_fraction: float | None,
    test_fraction: float | None,
    group_by: str | None,
    split_seed: int | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Split DATASET into train, val and test, or show the existing split.

    With --new, settings that are not given stay as they were. Top folders named val and test are these parts. Labels
    added since the split was made are assigned to a part. Networks trained before a --new split may have been trained
    on images that are now in val or test.
    """
    import msgspec

    from mia_tui.dataset.hashes import duplicate_groups
    from mia_tui.dataset.split.assignment import SplitRule, check_rule, new_split, stored_split
    from mia_tui.dataset.store.label_store import LabelStore

    report = Report(as_json=as_json)
    found = _dataset(report, dataset, follow=True, **where)
    hashes = duplicate_groups(found.root, found.scan.files)
    given: dict[str, Any] = {
        "val_fraction": val_fraction,
        "test_fraction": test_fraction,
        "group_by": group_by,
        "seed": split_seed,
    }
    given = without_fixed(report, found, {name: value for name, value in given.items() if value is not None})
    old = rule_of(found.state)
    rule = msgspec.structs.replace(old or SplitRule(), **given)
    check_rule(rule, found.labelled.labels)  # before a store is made for it
    with LabelStore(found.state.labels_db, annotator=where["annotator"]) as store:
        make = new_split if new else stored_split
        split = make(store, found.labelled, rule, hashes)
        store.save_root(found.root)
    for warning in split.warnings:
        report.warn(warning)
    show_counts(report, found, split.parts, rule)
    show_split(report, found, rule, old=old, given=given, new=new)


def _follow(report: Report, store: "LabelStore", found: "Scan", dataset: Path) -> None:
    """Before an import: link labels to files that were moved, so that the import finds them."""
    from mia_tui.dataset.dataset import renumber_frames

    store.save_root(dataset)
    store.reconcile(found.files, dataset, hashing="doubtful")
    for note in renumber_frames(store, found, dataset):
        report.warn(note)


def _scan(
    report: Report,
    dataset: Path,
    state: Path | None,
    frames: "Frames | None",
    *,
    writes: bool = False,
    label_file: Path | None = None,
) -> "tuple[Scan, StateFolder]":
    from mia_tui.dataset.interchange.folders import read_class_folders
    from mia_tui.dataset.store.label_store import stack_mode
    from mia_tui.runs.list.orphaned_state import find_orphaned_state, orphaned_state_error

    found = scan_images(report, dataset, frames or "first", label_file=label_file)
    left = (
        None
        if state is not None
        else find_orphaned_state(dataset, lambda: {file.path for file in found.files})
    )
    if left is not None:
        error = orphaned_state_error(dataset, left)
        if writes:
            raise error
        report.warn(error.message, error.hint)
    place = find_state(dataset, state, class_folders=read_class_folders(found.keys) is not None)
    return found.labelled_as(stack_mode(place.labels_db)), place


def _dataset(
    report: Report,
    dataset: Path,
    *,
    state: Path | None,
    labels: "LabelSource | None",
    frames: "Frames | None",
    annotator: str | None,
    keep_empty: bool = False,
    keep_missing: bool = False,
    follow: bool = False,
) -> "Dataset":
    from mia_tui.dataset.dataset import Dataset, relink_labels
    from mia_tui.dataset.labelled_images import labelled_images

    found, place = _scan(report, dataset, state, frames, writes=follow)
    for note in relink_labels(found, dataset, place, annotator) if follow else []:
        report.warn(note)
    labelled = labelled_images(
        found,
        dataset,
        place,
        source=labels or "auto",
        keep_empty=keep_empty,
        keep_missing=keep_missing,
        annotator=annotator,
    )
    for note in labelled.notes:
        report.warn(note)
    return Dataset(dataset, found, place, labelled)
