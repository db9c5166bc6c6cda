"""What would hurt a training, found before it starts; each finding says what to do, and none forbids the start.

Files are checked in `images`, `content` and `kinds`, their names in `groups`, the machine in `machine`. Labelled
images, which the run uses, are decoded, as far as time allows. Of the others, which are predicted later, only the
header is read: 30,000 of them take some seconds, and one whose end is missing is not found here.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mia_tui.dataset.dataset import Dataset
from mia_tui.runs.preflight.content import without_content
from mia_tui.runs.preflight.finding import CheckFinding
from mia_tui.runs.preflight.groups import torn_groups
from mia_tui.runs.preflight.images import (
    CheckedFiles,
    CheckProgress,
    bad_images,
    check_images,
    copies,
    open_each,
    unopened,
)
from mia_tui.runs.preflight.kinds import unequal_kinds
from mia_tui.runs.preflight.machine import busy_gpus, crowded_cores, detaching, full_disk, missing_weights
from mia_tui.runs.preflight.prepare import Prepared
from mia_tui.text import counted, name_some, printable

SMALL_CLASS = 10
"""Images to train on below which a class is said to be small."""

_LOOKING_S, _OPENING_S = 20.0, 5.0


@dataclass(frozen=True)
class CheckResult:
    """What was found.

    Attributes:
        findings: What would hurt, the worst first.
        checked: Images that were decoded.
        total: Images that the run would use.
        others_opened: Images without a label that were opened.
        others: Images without a label.
    """

    findings: tuple[CheckFinding, ...]
    checked: int
    total: int
    others_opened: int = 0
    others: int = 0

    @property
    def is_whole(self) -> bool:
        return self.checked == self.total

    @property
    def scope(self) -> str:
        """What was checked, and what was not, in a sentence or two."""
        labelled = counted(self.total, "labelled image")
        if self.is_whole:
            text = f"Checked all {labelled}."
        else:
            text = f"Checked {self.checked:,} of {labelled}; checking all takes too long."
        if not self.others:
            return text
        others = counted(self.others, "image")
        return f"{text} Of {others} without a label, {self.others_opened:,} were opened, but not read to their end."


def check_start(
    prepared: Prepared,
    others: Sequence[str] = (),
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    limit_s: float = _LOOKING_S,
    others_limit_s: float = _OPENING_S,
) -> CheckResult:
    """Look for what would hurt a training that is about to start.

    Args:
        prepared: The job, with its samples.
        others: Files of the dataset without a label, as `without_label` gives them.
        on_progress: Called with how many images were checked, and of how many.
        should_stop: Asked often.
        limit_s: After so long no more images are decoded.
        others_limit_s: After so long no more of the others are opened.

    Raises:
        CheckStopped: If `should_stop` answered True.
    """
    config = prepared.job.config
    progress = CheckProgress(time.monotonic() + limit_s, on_progress, should_stop)
    root = Path(prepared.job.dataset)
    files = CheckedFiles(root, prepared.samples)
    image_faults, checked = check_images(files, prepared.samples, config, progress)
    same = list(copies(files, prepared.samples, progress))
    progress = CheckProgress(time.monotonic() + others_limit_s, on_progress, should_stop)
    faults, opened = open_each(root, others, config.max_megapixels, progress)
    names = [item.name for item in prepared.job.classes]
    findings = [
        *without_content(root, prepared.samples, names, config, known=image_faults, should_stop=should_stop),
        *bad_images(prepared.samples, image_faults),
        *unequal_kinds(root, prepared.samples, config, should_stop=should_stop),
        *same,
        *torn_groups(prepared),
        *_small_classes(prepared),
        *full_disk(prepared),
        *missing_weights(config),
        *busy_gpus(config),
        *crowded_cores(config),
        *detaching(),
        *unopened(faults),
    ]
    return CheckResult(tuple(findings), checked, len(prepared.samples), opened, len(others))


def without_label(dataset: Dataset) -> list[str]:
    """The files of a dataset of which no image has a label."""
    labelled = {key.path for key in dataset.labelled.labels}
    return [file.path for file in dataset.scan.files if file.path not in labelled]


def _small_classes(prepared: Prepared) -> Iterator[CheckFinding]:
    small = {name: of["train"] for name, of in prepared.counts.items() if of["train"] < SMALL_CLASS}
    if small:
        named = name_some(f"{printable(name)} ({count})" for name, count in small.items())
        yield CheckFinding(
            f"{counted(len(small), 'class has', 'classes have')} fewer than {SMALL_CLASS} images "
            f"to train on: {named}.",
            "Label more of them, or merge them with another class.",
        )
    if any(of["val"] for of in prepared.counts.values()):
        unseen = [printable(name) for name, of in prepared.counts.items() if not of["val"]]
        if unseen:
            yield CheckFinding(
                f"The validation part has no image of {'the class' if len(unseen) == 1 else 'the classes'} "
                f"{name_some(unseen)}.",
                "The metrics say nothing about them; label more images of them.",
            )
    else:
        yield CheckFinding(
            "There is no validation part: every image is trained on.",
            "Set the val fraction above 0, or name a validation folder.",
        )
