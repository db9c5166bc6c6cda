"""The batches of an epoch, which all processes end at the same step."""

from collections.abc import Callable, Iterator

from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.data.feed import Batch
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.errors import AwayError


def steps_together(
    batches: Iterator[Batch], ranks: Ranks, should_stop: Callable[[], bool]
) -> Iterator[tuple[Batch, int]]:
    """Each batch, with how many images it has in all processes; ends when one of them is asked to stop.

    Args:
        batches: This process's parts of the batches; as many as those of the others.
        ranks: The processes.
        should_stop: Asked after each step.

    Raises:
        WorkStopped: If a process was asked to stop while it waited for a batch.
        AwayError: If the disk with the images stayed away from one of the processes.
    """
    if ranks.count == 1:
        for batch in batches:
            yield batch, len(batch.targets)
            if should_stop():
                return
        return
    while True:
        error: Exception | None = None
        try:
            part = next(batches, None)
        except (WorkStopped, AwayError) as caught:
            error, part = caught, None
        own = 0 if part is None else len(part.targets)
        images, stops, errors = ranks.sums(own, should_stop(), error is not None)
        if errors:
            ranks.raise_first(error)
        if part is None or stops:
            return
        yield part, images
