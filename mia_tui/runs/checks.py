"""What would hurt a training, found before it starts; each finding says what to do, and none forbids the start.

What is asked of the files stands in `checks_images`, of the machine in `checks_machine`.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mia_tui.dataset.wording import counted, name_some
from mia_tui.paths import printable
from mia_tui.runs.checks_images import Files, Watch, bad_images, copies, look_into
from mia_tui.runs.checks_machine import detaching, disk, gpus, weights
from mia_tui.runs.finding import Finding
from mia_tui.runs.prepare import Prepared

SMALL_CLASS = 10
"""Images to train on below which a class is said to be small."""

_LOOKING_S = 20.0


@dataclass(frozen=True)
class Checked:
    """What was found.

    Attributes:
        findings: What would hurt, the gravest first.
        looked_at: Images that were looked into.
        total: Images that the run would use.
    """

    findings: tuple[Finding, ...]
    looked_at: int
    total: int

    @property
    def is_whole(self) -> bool:
        return self.looked_at == self.total


def check_start(
    prepared: Prepared,
    *,
    told: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    limit_s: float = _LOOKING_S,
) -> Checked:
    """Look for what would hurt a training that is about to start.

    Args:
        prepared: The job, with its samples.
        told: Told how many images were looked at, and of how many.
        should_stop: Asked often.
        limit_s: After so long no more images are looked into.

    Raises:
        Stopped: If `should_stop` said so.
    """
    config = prepared.job.config
    watch = Watch(time.monotonic() + limit_s, told, should_stop)
    root = Path(prepared.job.dataset)
    files = Files(root, prepared.samples)
    verdicts, looked_at = look_into(files, prepared.samples, config, watch)
    findings = [
        *bad_images(prepared.samples, verdicts),
        *copies(files, prepared.samples, watch),
        *_small_classes(prepared),
        *disk(prepared),
        *weights(config),
        *gpus(config),
        *detaching(),
    ]
    return Checked(tuple(findings), looked_at, len(prepared.samples))


def _small_classes(prepared: Prepared) -> Iterator[Finding]:
    small = {name: of["train"] for name, of in prepared.counts.items() if of["train"] < SMALL_CLASS}
    if small:
        named = name_some(f"{printable(name)} ({count})" for name, count in small.items())
        yield Finding(
            f"{counted(len(small), 'class has', 'classes have')} fewer than {SMALL_CLASS} images "
            f"to train on: {named}.",
            "Label more of them, or merge them with another class.",
        )
    if any(of["val"] for of in prepared.counts.values()):
        unseen = [printable(name) for name, of in prepared.counts.items() if not of["val"]]
        if unseen:
            yield Finding(
                f"No image validates {'the class' if len(unseen) == 1 else 'the classes'} {name_some(unseen)}.",
                "The figures say nothing about them; label more images of them.",
            )
    else:
        yield Finding(
            "Nothing validates: every image is trained on.",
            "Set the val fraction over 0, or name a folder that validates.",
        )
