"""Finding a learning rate: some steps of a training, each with a larger rate than the one before.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, 3.3.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import torch

from mia_tui.analysis.rate_curve import Numbers, RateCurve, rates_of
from mia_tui.dataset.images.network.measuring import measure_input
from mia_tui.engine.data.feed import Batch, Feed
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.device import pick_device, set_up, training_arithmetic
from mia_tui.engine.training.learner import Learner
from mia_tui.engine.training.progress import starting_scaling
from mia_tui.errors import DataError
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.job import Sample, TrainJob

Warn = Callable[[str, str | None], None]


def find_rate(
    job: TrainJob,
    samples: Sequence[Sample],
    *,
    class_weights: Sequence[float] | None,
    first: float,
    last: float,
    steps: int,
    progress: Callable[[int], None],
    warn: Warn,
    say: Callable[[str], None],
) -> RateCurve:
    """The losses of a training whose learning rate rises with each step; it ends early once the loss is lost.

    All of the network learns, at the whole size; everything else is as in the training.

    Args:
        job: What is trained.
        samples: Its images; those of the training part are used.
        class_weights: The weight of each class in the loss; None for equal weights.
        first: The first rate.
        last: The last one.
        steps: Steps, at least 2.
        progress: Called with the number of steps that are done.
        warn: Takes warnings and what to do.
        say: Takes what is being done.

    Raises:
        DataError: If no image of the training part can be read.
        MiaError: If the device, the network or its weights cannot be used.
    """
    training = [sample for sample in samples if sample.split == "train"]
    config = msgspec.structs.replace(
        job.config, freeze_epochs=0.0, start_size=1.0, average_epochs=0, ema_decay=0.0
    )
    threads = config.threads or usable_cores()
    device, root = pick_device(config.device).device, Path(job.dataset)
    set_up(device, threads=threads, deterministic=config.deterministic)
    measured = measure_input(root, training, config, numbering=job.numbering, threads=threads)
    wanted = input_of(config, measured)
    scaling = starting_scaling(config, measured)
    feed = Feed(training, root, config, wanted, device, scaling=scaling, numbering=job.numbering)
    with closing(feed):
        say(f"building {config.backbone}")
        learner = Learner(
            config,
            wanted,
            num_classes=len(job.classes),
            class_names=[item.name for item in job.classes],
            class_weights=None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32),
            device=device,
            arithmetic=training_arithmetic(config.precision, device, config.backbone),
            steps_per_epoch=1,
            warn=warn,
            say=say,
        )
        return _rise(learner, _batches(feed), rates_of(first, last, steps), progress)


def _batches(feed: Feed) -> Iterator[Batch]:
    """Batches of one epoch after the other, of those that can be trained on.

    Raises:
        DataError: If an epoch has none.
    """
    for epoch in count(1):
        given = 0
        for batch in feed.training_batches(epoch, start=0):
            if len(batch.targets) >= min(2, feed.config.batch_size):
                given += 1
                yield batch
        if not given:
            raise DataError("No image of the training part can be read.", "Check the files.")


def _rise(
    learner: Learner, batches: Iterator[Batch], rates: Numbers, progress: Callable[[int], None]
) -> RateCurve:
    losses: list[float] = []
    curve = RateCurve(rates[:0], rates[:0])
    for done, (rate, batch) in enumerate(zip(rates.tolist(), batches, strict=False), 1):
        learner.schedule.set_rate(rate)
        result = learner.step(batch)
        losses.append(float(result.numerator / result.denominator))
        curve = RateCurve(rates[:done], np.array(losses, np.float64))
        progress(done)
        if not math.isfinite(losses[-1]) or curve.has_diverged:
            break
    return curve
