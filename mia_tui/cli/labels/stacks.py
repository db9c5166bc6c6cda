"""`mia-tui labels stacks`: whether stacks are labelled frame by frame or once for all."""

from pathlib import Path
from typing import get_args

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import scan_images
from mia_tui.cli.shared.options import dataset_argument, json_option, state_options
from mia_tui.dataset.model import StackMode
from mia_tui.paths import find_state


@click.command("stacks", short_help="Label stacks by frames or as a whole.")
@dataset_argument
@click.argument("mode", required=False, type=click.Choice(get_args(StackMode), case_sensitive=False))
@state_options
@json_option
def stacks_command(
    dataset: Path, mode: StackMode | None, state: Path | None, annotator: str | None, as_json: bool
) -> None:
    """Say or choose how the stacks of DATASET are labelled: a file with several frames (T, Z, fields of view, pages).

    With frames, the default, each frame is an image to label. With whole, a stack is one image: it has one label, is
    shown by the brightest value of each pixel over all frames, and a network is given what --stack of `mia-tui train`
    says. The choice changes no label: those made for the other one are kept, and not used meanwhile.
    """
    from mia_tui.dataset.interchange.folders import read_class_folders
    from mia_tui.dataset.stacks import mode_words, unused_labels, unused_words
    from mia_tui.dataset.store.frame_numbers import find_frames, present_keys, with_present_frames
    from mia_tui.dataset.store.label_store import LabelStore
    from mia_tui.dataset.store.queries import META_STACKS

    report = Report(as_json=as_json)
    found = scan_images(report, dataset, "first")
    place = find_state(dataset, state, class_folders=read_class_folders(found.keys) is not None)
    if mode is not None:
        with LabelStore(place.labels_db, annotator=annotator) as store:
            store.set_meta(META_STACKS, mode)
    store_now = LabelStore.open_existing(place.labels_db)
    mode, unused = mode or "frames", 0
    if store_now is not None:
        with store_now:
            mode = store_now.stack_mode()
            labels, old = store_now.labels(), store_now.old_pages()
            if old:  # of an earlier version, counted as they are shown
                now = find_frames(old, {file.path for file in found.files}, found.stacks, dataset)
                labels, _ = with_present_frames(labels, present_keys(old, now))
            unused = unused_labels(labels, found.stacks, mode)
    report.say(mode_words(mode, found.stacks))
    if unused:
        report.warn(unused_words(unused, mode))
    report.record({"stacks": mode, "files": len(found.stacks), "unused": unused})
