"""Images that cannot be read: they are left out of an epoch, reported, and tried again at the start of the next one.

Those left out of the current epoch are saved in the checkpoint, so that an epoch resumed in its middle leaves out the
same images.
"""

from collections import Counter
from collections.abc import Sequence

from mia_tui.engine.data.images import ImageStore
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.errors import DataError
from mia_tui.runs.record.events import MOST_NAMED, LeftOut
from mia_tui.runs.record.job import JobClass, Sample, image_name
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import NAMED, counted, encode_name, fault_of, name_faults, printable


class LeftOutImages:
    """The images that are left out of the current epoch.

    Args:
        attempt: Takes the reports.
        samples: The images of the run, without those of the test part.
        classes: Classes of the run.
        images: Reads them.

    Attributes:
        rows: Positions in the samples, each with why it cannot be read; it grows while images are read.
    """

    def __init__(
        self, attempt: Attempt, samples: Sequence[Sample], classes: Sequence[JobClass], images: ImageStore
    ) -> None:
        self._attempt, self._samples, self._classes, self._images = attempt, samples, classes, images
        self.rows = images.left_out
        self._reported = set(self.rows)

    def agree(self, ranks: Ranks) -> None:
        """Leave out what any process could not read, so that all have the same images."""
        for rows in ranks.gather(dict(self.rows)) if ranks.count > 1 else ():
            self._images.leave_out(rows)

    def report(self, epoch: int) -> None:
        """Name the images that turned out to be unreadable since the last report."""
        new = sorted(self.rows.keys() - self._reported)
        if not new:
            return
        self._reported.update(new)
        faults = (fault_of(image_name(self._samples[row]), self.rows[row]) for row in new[:NAMED])
        one = len(new) == 1
        are = "1 image is" if one else f"{len(new):,} images are"
        self._attempt.warn(
            f"{are} left out of epoch {epoch} because {'it' if one else 'they'} cannot be read: "
            f"{name_faults(faults, len(new))}.",
            f"Each epoch tries {'it' if one else 'them'} again.",
        )

    def try_again(self, epoch: int) -> None:
        """At the start of an epoch, try those again that the previous one left out."""
        before = len(self.rows)
        if not before:
            return
        self._images.try_again()
        if len(self.rows) < before:
            readable = counted(before - len(self.rows), "image")
            self._attempt.warn(f"{readable} that could not be read can be read again, from epoch {epoch} on.")
        self._reported &= self.rows.keys()
        self.check_classes()

    def check_classes(self) -> None:
        """End the run if no training image of a class can be read.

        Raises:
            DataError: If there is such a class.
        """
        rows_of: dict[int, list[int]] = {self._samples[row].class_index: [] for row in self.rows}
        if not rows_of:
            return
        for row, sample in enumerate(self._samples):
            if sample.split == "train" and sample.class_index in rows_of:
                rows_of[sample.class_index].append(row)
        for index, rows in rows_of.items():
            if self.rows.keys() >= set(rows) and not self._images.can_read_any(rows):
                raise DataError(
                    f"No image of class {printable(self._classes[index].name)} is left to train on.",
                    "Check the files that were named as unreadable, or label more images.",
                )

    def counts(self) -> LeftOut | None:
        """How many images of each part the current epoch leaves out; None for none."""
        if not self.rows:
            return None
        of = Counter(sample.split for sample in self._samples)
        left_out = Counter(self._samples[row].split for row in self.rows)
        named = sorted(self.rows)[:MOST_NAMED]
        return LeftOut(
            train=left_out["train"],
            of_train=of["train"],
            val=left_out["val"],
            of_val=of["val"],
            images={encode_name(image_name(self._samples[row])): self.rows[row] for row in named},
        )
