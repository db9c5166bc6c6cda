"""Whole steps as CUDA graphs: recorded once, then launched as one.

Launching the thousand kernels of a small step takes the CPU longer than the GPU computes. A graph holds the kernels
of forward pass, loss, backward pass and optimizer with their addresses; batches are copied to where it reads them.
It computes what the kernels compute without it: the rate is a tensor that is filled before each step, and random
numbers (dropout, stochastic depth) go on from the state of torch's generator. Weights are the same to the bit.

Source: the section "CUDA graphs" of the notes of torch, "CUDA semantics".
"""

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from mia_tui.engine.data.feed import Batch, Mix

WARM_UP_STEPS = 3
"""Steps of each form that are done before one is recorded: cuDNN tries its algorithms in the first, and the optimizer
makes its memory."""


@dataclass(frozen=True)
class StepResult:
    """Result of a step, on the device: the loss is `numerator / denominator`; logits (N, C), float32.

    That of a recorded step is overwritten by the next one: what is made of it has to be put on the stream before.
    """

    numerator: Tensor
    denominator: Tensor
    logits: Tensor


class RecordingError(Exception):
    """A step cannot be recorded; says why in a sentence. Nothing was computed, so it can be done without a graph."""


class StepGraphs:
    """Does steps, and records those whose form comes again.

    Args:
        compute: Does a step; None if memory ran out. It must not wait for the device.
        device: An NVIDIA GPU.
    """

    def __init__(self, compute: Callable[[Batch], StepResult | None], device: torch.device) -> None:
        self._compute = compute
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._warm: Counter[Hashable] = Counter()
        self._recorded: dict[Hashable, _RecordedStep] = {}

    def step(self, batch: Batch, form: Hashable) -> StepResult | None:
        """Do a step; None if memory ran out.

        Args:
            batch: The images.
            form: What is equal for all steps that one graph can stand for, beside what follows from the batch.

        Raises:
            RecordingError: If it cannot be recorded.
        """
        form = (form, batch.images.shape, batch.images.dtype, batch.mix is not None)
        recorded = self._recorded.get(form)
        if recorded is None:
            if self._warm[form] < WARM_UP_STEPS:
                self._warm[form] += 1
                return self._warm_up(batch)
            recorded = self._recorded[form] = self._record(batch)
        return recorded.step(batch)

    def _warm_up(self, batch: Batch) -> StepResult | None:
        """A step on the stream that the recording will use, as torch's notes ask for."""
        present = torch.cuda.current_stream()
        self._stream.wait_stream(present)
        with torch.cuda.stream(self._stream):
            result = self._compute(batch)
        present.wait_stream(self._stream)
        return result

    def _record(self, batch: Batch) -> "_RecordedStep":
        place, graph = _copied(batch), torch.cuda.CUDAGraph()
        try:
            # The outer context goes back to the present stream, also where the inner one fails on its way out. Other
            # threads may use the GPU meanwhile: they read images into pinned memory.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(
                    graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
                ),
            ):
                result = self._compute(place)
        except RuntimeError as error:
            first = error.__context__ or error  # a recording that failed also fails at its end
            raise RecordingError(str(first).strip().split("\n")[0]) from error
        if result is None:
            raise RecordingError("memory ran out")
        return _RecordedStep(graph, place, result)


@dataclass(frozen=True)
class _RecordedStep:
    """A graph, the batch that it reads, and the result that it writes."""

    graph: torch.cuda.CUDAGraph
    place: Batch
    result: StepResult

    def step(self, batch: Batch) -> StepResult:
        """Do the step with the images of another batch of the same form."""
        self.place.images.copy_(batch.images)
        self.place.targets.copy_(batch.targets)
        if self.place.mix is not None and batch.mix is not None:
            self.place.mix.targets.copy_(batch.mix.targets)
            self.place.mix.share.copy_(batch.mix.share)
        self.graph.replay()
        return self.result


def _copied(batch: Batch) -> Batch:
    mix = batch.mix and Mix(batch.mix.targets.clone(), batch.mix.share.clone())
    return Batch(batch.images.clone(), batch.targets.clone(), batch.rows, mix)
