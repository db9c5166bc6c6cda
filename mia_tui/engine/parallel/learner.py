"""A training step of several processes: each computes its part of a batch, and torch's DDP adds up the gradients.

The loss is that of the whole batch: its denominator is summed over the processes before the first image is computed,
so that class weights mean the same as in a single process. Without batch normalisation (or with that of all GPUs
together, `sync_norms`) the gradients are those of a single process but for rounding.
"""

from contextlib import nullcontext
from typing import Any

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.parallel import DistributedDataParallel

from mia_tui.config.devices import LEAST_IMAGES
from mia_tui.engine.data.feed import Batch, Mix
from mia_tui.engine.device import autocast, is_out_of_memory
from mia_tui.engine.parallel.devices import most_images_at_once
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.engine.training.learner import Learner, split_batch
from mia_tui.engine.training.steps.step_graphs import StepResult
from mia_tui.errors import RunError
from mia_tui.text import counted

_OTHERS_RANDOM = "random_of_others"


class ParallelLearner(Learner):
    """A learner in one of several processes; `step` takes this process's part of a batch.

    Its result has the logits of that part, and numerator and denominator of the whole batch. The state that is saved
    is that of the first process, with the random numbers of all; any number of processes can go on from it.

    Args:
        ranks: The processes.
        arguments: Those of `Learner`.
    """

    def __init__(self, ranks: Ranks, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._ranks = ranks
        self._wrapped: DistributedDataParallel | None = None
        self._wrapped_for: tuple[bool, ...] = ()
        self.micro_batch = most_images_at_once(self.config.batch_size)
        if self.config.sync_norms:  # with the same parameters, which the optimizer has already
            self.model = convert_sync_batchnorm(self.model)  # type: ignore[no-untyped-call]
        self._seed_others(0)

    def _gradients(self, batch: Batch) -> StepResult:
        """Gradients of the mean loss over the whole batch, in each process.

        Raises:
            RunError: If memory runs out here: the others cannot be told in the middle of a step.
        """
        self.optimizer.zero_grad(set_to_none=True)
        own = len(batch.targets)
        denominator = self._ranks.sum_(self._denominator(batch))
        numerator, logits = torch.zeros((), device=self.device), []
        buffers = None if own else [buffer.clone() for buffer in self.model.buffers()]
        batch = _filled(batch)
        try:
            parts = self._parts(len(batch.images))
            network = self._parallel_network()
            for number, (images, targets, mix) in enumerate(split_batch(batch, parts), start=1):
                with nullcontext() if number == parts else network.no_sync():
                    with autocast(self.device, self.arithmetic):
                        output = network(images)
                    terms, _ = self._mixed_terms(output.float(), targets, mix)
                    loss = terms[:own].sum() * (self._ranks.count / denominator)  # DDP takes the mean
                    torch.autograd.backward(self._scaler.scale(loss))
                numerator += terms[:own].detach().sum()
                logits.append(output[:own].detach().float())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._out_of_memory(len(batch.images)) from error
        if buffers is not None:  # nothing was learned from images that only filled up a batch
            for buffer, before in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(before)
        return StepResult(self._ranks.sum_(numerator), denominator, torch.cat(logits))

    def _parallel_network(self) -> DistributedDataParallel:
        """The network in DDP, which has to know which parameters are trained just now."""
        trained = tuple(parameter.requires_grad for parameter in self.model.parameters())
        if self._wrapped is None or trained != self._wrapped_for:
            self._wrapped = None  # takes its hooks off the parameters first
            device = None if self.device.index is None else [self.device.index]
            self._wrapped = DistributedDataParallel(
                self.model, device_ids=device, gradient_as_bucket_view=True
            )
            self._wrapped_for = trained
        return self._wrapped

    def _out_of_memory(self, images: int) -> RunError:
        at_once = -(-images // self._parts(images))
        return RunError(
            f"Memory ran out on {self.device} with {counted(at_once, 'image')} of {self.config.width} × "
            f"{self.config.height} pixels.",
            "Use a smaller --batch-size, more --devices, a smaller --size or a smaller backbone.",
        )

    def state_dict(self) -> dict[str, Any]:
        """As in `Learner`; all processes have to call it."""
        state = super().state_dict()
        return {**state, _OTHERS_RANDOM: self._ranks.gather([state["random"], state["random_cuda"]])[1:]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As in `Learner`; a process that was not there when it was saved gets new random numbers."""
        super().load_state_dict(state)
        self.micro_batch = min(self.micro_batch, most_images_at_once(self.config.batch_size))
        others = state.get(_OTHERS_RANDOM, [])
        self._seed_others(self.steps_done)
        if not self._ranks.is_first and len(others) == self._ranks.count - 1:
            random, random_cuda = others[self._ranks.rank - 1]
            torch.set_rng_state(random)
            if self.device.type == "cuda" and random_cuda is not None:
                torch.cuda.set_rng_state(random_cuda, self.device)

    def _seed_others(self, steps: int) -> None:
        """Other random numbers in each process: else all would drop the same units of their images."""
        if not self._ranks.is_first:
            torch.manual_seed((self._ranks.rank << 52) + (steps << 31) + self.config.seed)


def _filled(batch: Batch) -> Batch:
    """A batch with at least two images: black ones behind its own, which count nothing."""
    missing = LEAST_IMAGES - len(batch.images)
    if missing <= 0:
        return batch
    images = pad(batch.images, (0, 0, 0, 0, 0, 0, 0, missing))
    mix = batch.mix and Mix(_longer(batch.mix.targets, missing), _longer(batch.mix.share, missing))
    return Batch(images, _longer(batch.targets, missing), batch.rows, mix)


def _longer(values: Tensor, missing: int) -> Tensor:
    return pad(values, (0, missing))
