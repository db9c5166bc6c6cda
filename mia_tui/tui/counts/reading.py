"""Makes the table of counts of the dataset that is open, in a thread; what was read is kept for the next choice."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession
from mia_tui.errors import ConfigError
from mia_tui.runs.counts.confusions import known_confusions
from mia_tui.runs.counts.images import NONE, CountedImages, Predicted, count_images, read_predicted
from mia_tui.runs.counts.table import CountTable, Use, make_table
from mia_tui.runs.record.layout import RunDir


@dataclass(frozen=True)
class CountChoices:
    """What the person chose.

    Attributes:
        by: Regular expression that makes groups; empty for slides in names, else folders.
        run: Whose predictions are counted; None for the newest.
        use: What fractions are of; None for predictions where there are some.
        correct: Whether fractions are corrected for confusions.
        against: The controls; empty for all groups.
    """

    by: str = ""
    run: RunDir | None = None
    use: Use | None = None
    correct: bool = False
    against: str = ""


@dataclass(frozen=True, eq=False)
class CountsRead:
    """A table, and the images behind it.

    Attributes:
        table: The counts.
        images: Their labels, predictions and groups.
        keys: The images.
    """

    table: CountTable
    images: CountedImages
    keys: list[ImageKey]

    def behind(self, group: int | None, place: int | None) -> tuple[ImageKey, ...]:
        """The images behind a cell.

        Args:
            group: Position of the group; None for all.
            place: Position of the class; None for all images of the group.
        """
        of_group = self.images.groups.of_image
        wanted = of_group >= 0 if group is None else of_group == group
        if place is not None:
            said = self.images.labels if self.table.use == "labels" else self.images.predictions
            assert said is not None
            wanted = wanted & (said == place)
        return tuple(self.keys[row] for row in np.flatnonzero(wanted).tolist())


class CountsReader:
    """Reads and counts.

    Args:
        dataset: Folder of images.
        state: The folder given with --state.
        session: The images and labels, which are taken as they are now.
    """

    def __init__(self, dataset: Path, state: Path | None, session: LabelSession) -> None:
        self._dataset, self._state = dataset, state
        class_ids, _, active = session.label_arrays()
        place = np.full(len(active), NONE, np.int32)
        classes = [each for each in session.classes if each.id < len(active) and active[each.id]]
        for position, image_class in enumerate(classes):
            place[image_class.id] = position
        place[0] = NONE
        self._labels, self._names = place[class_ids], [each.name for each in classes]
        self._read_keys = session.keys_later(np.arange(len(class_ids), dtype=np.int32))
        self._keys: list[ImageKey] | None = None
        self._predicted: dict[RunDir | None, Predicted | None] = {}
        self._images: dict[tuple[str, RunDir | None], CountedImages] = {}

    def read(self, choices: CountChoices) -> CountsRead:
        """Count as a person chose; may take a second, so call it in a thread.

        Raises:
            MiaError: If that cannot be counted; the sentence says why.
        """
        if self._keys is None:
            self._keys = self._read_keys()
        keys, run = self._keys, choices.run
        if run not in self._predicted:
            self._predicted[run] = read_predicted(keys, self._dataset, self._state, run)
        predicted, which = self._predicted[run], (choices.by, run)
        if which not in self._images:
            self._images[which] = count_images(
                keys, self._labels, self._names, by=choices.by or None, predicted=predicted
            )
        images, confusions = self._images[which], None
        if choices.correct:
            if predicted is None:
                raise ConfigError("Fractions of labels are not corrected, and there are no predictions.")
            confusions = known_confusions(keys, predicted, self._dataset, self._state)
        table = make_table(images, use=choices.use, confusions=confusions, against=choices.against or None)
        return CountsRead(table, images, keys)
