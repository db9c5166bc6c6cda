"""Predictions of another program as suggestions: a prediction that has finished, and that no worker made."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mia_tui.config.predict import PredictConfig
from mia_tui.dataset.class_rules import class_name
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.scan.walk import natural_key
from mia_tui.errors import LabelFileError
from mia_tui.paths import real_path
from mia_tui.runs.disk import make_folder, replacing, write_atomically
from mia_tui.runs.list.find import remember_run
from mia_tui.runs.prediction.suggestions import SuggestionLine, write_lines
from mia_tui.runs.record.events import Event, ResultSaved, RunEnded
from mia_tui.runs.record.job import MOST_CLASSES, PredictJob
from mia_tui.runs.record.job_place import create_in, job_places, new_job
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import encode_event
from mia_tui.runs.record.model_card import weights_digest
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import counted, encode_name, printable


def import_suggestions(
    dataset: Path, read: LabelFile, source: Path, *, state: Path | None = None, command: str = ""
) -> RunDir:
    """Make a finished prediction of what was read, whose network has the name of the file.

    Args:
        dataset: The folder of images.
        read: What was read, with a class for at least one image.
        source: The file it was read from.
        state: The folder given with --state.
        command: The command line that does the same again.

    Raises:
        LabelFileError: If there are more classes than a network can have; nothing is written.
        ConfigError: If nothing can be written, not even in the user's own state folder.
        RunError: If the disk does not take all of it; nothing stays.
    """
    names = [class_name(name) for name in read.labels.values()]
    classes = sorted(set(names), key=natural_key)
    if len(classes) > MOST_CLASSES:
        raise LabelFileError(
            f"{read.name} names {len(classes):,} classes, more than the {MOST_CLASSES:,} that a network can have.",
            "Is the column class the one that is meant?",
        )
    config = PredictConfig(
        weights=str(real_path(source)),
        digest=_digest(source),
        network=source.name,
        images="listed",
        scope=f"images in {printable(source.name)}",
    )
    places = job_places(dataset, state)
    job = new_job(config, classes, dataset, places, command=command)
    run = create_in(places, job, name=f"import-{source.stem}", images=list(read.labels))
    try:
        _write(run, job, read, names)
    except BaseException:
        run.drop()
        raise
    remember_run(run)
    return run


def _digest(source: Path) -> str:
    """Digest of the file; empty if it can be read only once, as a pipe."""
    try:
        return weights_digest(source)
    except OSError:
        return ""


def _write(run: RunDir, job: PredictJob, read: LabelFile, names: Sequence[str]) -> None:
    """Write the suggestions, and what a worker that made them would have reported.

    Args:
        run: The run, made from the job.
        job: Its job.
        read: What was read.
        names: The class of each image.
    """
    places = {item.name: place for place, item in enumerate(job.classes)}
    classes = [encode_name(item.name) for item in job.classes]
    lines = (
        SuggestionLine(encode_name(key.path), key.frame, places[name], read.probabilities.get(key))
        for key, name in zip(read.labels, names, strict=True)
    )
    make_folder(run.predictions, root=run.root)
    with replacing(run.suggestions, root=run.root) as file:
        write_lines(file, encode_name(job.dataset), classes, lines)
    events: list[Event] = []
    Attempt(run, 1, events.append, lambda: False).started(device="")
    result = ResultSaved(
        t=time.time(),
        sentence=f"{counted(len(names), 'suggestion')} imported from {read.name}.",
        file=str(run.suggestions.relative_to(run.path)),
        counts={encode_name(name): count for name, count in Counter(names).most_common()},
    )
    events += [result, RunEnded(t=time.time(), outcome="finished")]
    write_atomically(run.events, b"".join(map(encode_event, events)), root=run.root)
