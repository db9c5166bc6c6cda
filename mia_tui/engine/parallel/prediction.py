"""A trained network in several processes, each with a share of the images; the answers come in the order of these."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mia_tui.dataset.model import ImageKey
from mia_tui.engine.inference.ensemble import AnyPredictor
from mia_tui.engine.inference.predict import Prediction
from mia_tui.engine.parallel.ranks import Ranks

_TOGETHER = 16
"""Batches of each process before it gives its answers to the others."""


def predict_together(
    ranks: Ranks,
    network: AnyPredictor,
    root: Path,
    keys: Iterable[ImageKey],
    *,
    batch_size: int,
    **options: Any,
) -> Iterator[Prediction]:
    """Predict images one after the other, in each process those of some batches; all get all answers.

    Args:
        ranks: The processes.
        network: The network, in each of them.
        root: Folder that the keys' paths are relative to.
        keys: The images, the same in each process.
        batch_size: Images per batch.
        options: Others of `Predictor.predict`.

    Raises:
        AwayError: If the disk with the images stays away from one of them.
        WorkStopped: If one was asked to stop.
    """
    if ranks.count == 1:
        yield from network.predict(root, keys, batch_size=batch_size, **options)
        return
    images = list(keys)
    at_once = batch_size * ranks.count * _TOGETHER
    for start in range(0, len(images), at_once):
        some = images[start : start + at_once]
        batches = [some[begin : begin + batch_size] for begin in range(0, len(some), batch_size)]
        own = [key for batch in ranks.share(batches) for key in batch]
        predicted = ranks.together(
            lambda own=own: list(network.predict(root, own, batch_size=batch_size, **options))  # type: ignore[misc]
        )
        answers = [iter(each) for each in ranks.gather(predicted)]
        for number, batch in enumerate(batches):
            yield from (next(answers[number % ranks.count]) for _ in batch)


def gather_other_types(ranks: Ranks, network: AnyPredictor) -> None:
    """Take over which images of other types the other processes were given."""
    if ranks.count > 1:
        network.other_types = sum(ranks.gather(network.other_types), Counter())
