"""Training step by step: model, optimizer, schedule, loss and arithmetic."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from mia_tui.catalog.backbones import TIMM_PREFIX
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.epoch_work import epoch_size
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.decoding import Count, check
from mia_tui.engine.data.feed import Batch, Mix
from mia_tui.engine.data.network_input import is_deep
from mia_tui.engine.device import Arithmetic, autocast, is_out_of_memory, release_memory
from mia_tui.engine.network.averages import EpochAverage
from mia_tui.engine.network.backbones import build_model, check_input
from mia_tui.engine.network.layer_stages import set_frozen, train_head_only
from mia_tui.engine.network.norms import has_norms
from mia_tui.engine.network.weights import clear_head, find_weights, load_weights, take_over_head
from mia_tui.engine.training.losses import loss_terms
from mia_tui.engine.training.optim import (
    Schedule,
    load_optimizer_state,
    make_optimizer,
    optimizer_state,
)
from mia_tui.engine.training.steps.step_graphs import StepGraphs, StepResult
from mia_tui.errors import ConfigError, RunError
from mia_tui.text import counted, name_some, printable

Warn = Callable[[str, str | None], None]
Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Means:
    """How steps are computed.

    Attributes:
        is_compiled: Whether torch has compiled the network.
        is_recorded: Whether a GPU repeats whole steps from a recording.
    """

    is_compiled: bool = False
    is_recorded: bool = False


class _Counts(msgspec.Struct):
    micro_batch: Annotated[int, Meta(ge=1, le=2**31)]
    steps_done: Count


class _SavedMeans(msgspec.Struct):
    is_compiled: bool
    is_recorded: bool


class Learner:
    """The state that a step changes, and the step itself.

    Args:
        config: Settings.
        wanted: What the network's images are.
        num_classes: C.
        class_names: Of the C classes, so that what an earlier network knows of them is kept; none keeps nothing.
        class_weights: Shape (C,), float32; None for equal weights.
        device: Device of the network.
        arithmetic: Type of the forward pass; weights and loss stay float32.
        steps_per_epoch: For the schedule.
        warn: Called if memory ran out and the micro-batch was halved.
        say: Called when weights are downloaded.
        resumed: Whether `load_state_dict` follows, so that no file of weights is needed.

    Attributes:
        settled: The means that were chosen for the run; None before that. They are saved with its state.
    """

    def __init__(
        self,
        config: TrainConfig,
        wanted: NetworkInput,
        *,
        num_classes: int,
        class_names: Sequence[str] = (),
        class_weights: Tensor | None,
        device: torch.device,
        arithmetic: Arithmetic,
        steps_per_epoch: int,
        warn: Warn,
        say: Callable[[str], None] | None = None,
        resumed: bool = False,
    ) -> None:
        self.config = config
        self.wanted = wanted
        self.device = device
        self.arithmetic = arithmetic
        self.micro_batch = config.batch_size
        self.steps_done = 0
        self._warn = warn
        self._num_classes, self._class_names = num_classes, class_names
        self._class_weights = None if class_weights is None else class_weights.to(device)
        torch.manual_seed(config.seed)
        self.model = self._build(say, resumed)
        self.model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = ModelEmaV3(self.model, config.ema_decay, use_warmup=True) if config.ema_decay else None
        self.optimizer = make_optimizer(self.model, config)
        self.schedule = Schedule(self.optimizer, config, steps_per_epoch)
        self._is_frozen = False
        self._average: EpochAverage | None = None
        if config.average_epochs:
            self._average = EpochAverage(config.epochs - config.average_epochs + 1)
        self._scaler = torch.amp.GradScaler(device.type, enabled=arithmetic == "fp16")
        self.settled: Means | None = None
        self._means = Means()
        self._compiled: Network | None = None
        self._graphs: StepGraphs | None = None

    def _build(self, say: Callable[[str], None] | None, resumed: bool) -> nn.Module:
        config, in_channels = self.config, self.wanted.channel_count
        model = build_model(
            config.backbone,
            num_classes=self._num_classes,
            in_channels=in_channels,
            drop_rate=config.drop_rate,
            drop_path_rate=config.drop_path_rate,
            input_size=(config.height, config.width),
            is_deep=is_deep(self.wanted),
        )
        if config.backbone.startswith(TIMM_PREFIX):  # no table knows its smallest size
            self._check_sizes(model)
        if config.weights != "none" and not resumed:
            path = find_weights(config.backbone, config.weights, on_download=say)
            load_weights(model, path, backbone=config.backbone, in_channels=in_channels)
            clear_head(model)
            known = take_over_head(model, path, self._class_names)
            if known and say is not None:
                say(f"keeping what the network knows of {name_some(known)}")
        return model

    def _check_sizes(self, model: nn.Module) -> None:
        config, channels = self.config, self.wanted.channel_count
        check_input(model, config.backbone, in_channels=channels, height=config.height, width=config.width)
        if config.start_size == 1:
            return
        height, width = epoch_size(config, 1)
        try:
            check_input(model, config.backbone, in_channels=channels, height=height, width=width)
        except ConfigError as error:
            raise ConfigError(
                f"{printable(config.backbone)} does not take {width} x {height} pixels, with which --start-size "
                f"{config.start_size:g} begins.",
                "Leave it at 1, or take more.",
            ) from error

    @property
    def evaluated_model(self) -> nn.Module:
        """The network that is validated and saved: with the mean of its weights, if there is one."""
        averaged = None if self._average is None else self._average.model
        if averaged is not None:
            return averaged
        module: nn.Module = self.model if self.ema is None else self.ema.module
        return module

    @property
    def averaged_epochs(self) -> int:
        """Of how many epochs the weights of `evaluated_model` are the mean; 0 for those of this one alone."""
        return 0 if self._average is None else self._average.count

    def end_epoch(self, epoch: int) -> bool:
        """Take the weights of an epoch into their mean.

        Returns:
            Whether batch normalisation of `evaluated_model` is to be measured before it is used.
        """
        if self._average is not None:
            self._average.epoch_ended(epoch, self.model)
        is_averaged = self._average is not None and self._average.model is not None
        # Not by the last step that was done here: a run that was stopped while it validated has done none since.
        was_frozen = self.schedule.ends_frozen(epoch)
        is_wanted = self.config.refresh_norms and not (was_frozen and self.evaluated_model is self.model)
        return (is_averaged or is_wanted) and has_norms(self.evaluated_model)

    def set_step(self, epoch: int, step: int) -> None:
        """Set the rate of the next step, and whether all of the network learns in it or its head only.

        Args:
            epoch: From 1.
            step: Steps of this epoch that are done, from 0.
        """
        self.schedule.set_step(epoch, step)
        frozen = self.schedule.is_frozen(epoch, step)
        if frozen != self._is_frozen:
            self._is_frozen = frozen
            set_frozen(self.model, frozen)

    def step(self, batch: Batch) -> StepResult:
        """One step of the optimizer.

        When memory runs out the micro-batch is halved and the step repeated with accumulated gradients, so the
        effective batch size stays.

        The loss of an image with another one mixed in is that of its own target by its share, and that of the other
        target by the rest (Zhang et al. 2018, mixup, in the form that holds for every loss).

        Args:
            batch: At least one image; two if the network has batch normalisation.

        Raises:
            RunError: If memory runs out even for two images, or three that must stay together.
        """
        if self._is_frozen:
            train_head_only(self.model)
        else:
            self.model.train()
        result = self._recorded_step(batch) if self._is_recordable(batch) else self._launched_step(batch)
        while result is None:  # outside the except block, whose traceback would keep the tensors alive
            self._free_memory(len(batch.images))
            result = self._launched_step(batch)
        self.steps_done += 1
        if self.ema is not None:
            self.ema.update(self.model, step=self.steps_done)
        return result

    @property
    def is_frozen(self) -> bool:
        """Whether only the head learns in the next step."""
        return self._is_frozen

    @property
    def means(self) -> Means:
        """How steps are computed."""
        return self._means

    def use(self, means: Means) -> None:
        """Compute steps by these means from now on.

        Only whole batches are: one of another size would be compiled again. Neither changes names of weights.
        """
        self._means = means
        if not means.is_compiled:
            self._compiled = None
        elif self._compiled is None:
            self._compiled = torch.compile(self.model, dynamic=False)
        if not means.is_recorded:
            self._graphs = None
        elif self._graphs is None:
            self._graphs = StepGraphs(self._launched_step, self.device)

    def is_whole(self, batch: Batch) -> bool:
        """Whether a batch has all its images, and they are computed together."""
        return len(batch.images) == self.config.batch_size and self._parts(len(batch.images)) == 1

    def _is_recordable(self, batch: Batch) -> bool:
        return self._graphs is not None and self.is_whole(batch)

    def _recorded_step(self, batch: Batch) -> StepResult | None:
        """A step from a recording; None if memory ran out.

        Raises:
            RecordingError: If it cannot be recorded; nothing was computed.
        """
        assert self._graphs is not None
        trained = sum(parameter.requires_grad for parameter in self.model.parameters())
        return self._graphs.step(batch, (self._means.is_compiled, trained))

    def _launched_step(self, batch: Batch) -> StepResult | None:
        """A step whose kernels are launched one by one; None if memory ran out before the weights were changed."""
        result = self._gradients(batch)
        if result is not None:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        return result

    def _free_memory(self, images: int) -> None:
        """Give up recordings, which hold memory of their own; without any, compute fewer images at a time."""
        if self._graphs is None:
            self._halve_micro_batch(images)
            return
        self.optimizer.zero_grad(set_to_none=True)
        self.use(replace(self._means, is_recorded=False))
        release_memory(self.device)
        self._warn("Memory ran out; the GPU no longer repeats steps from a recording.", None)

    def _gradients(self, batch: Batch) -> StepResult | None:
        """Gradients of the mean loss over the batch; None if memory ran out."""
        self.optimizer.zero_grad(set_to_none=True)
        denominator = self._denominator(batch)
        numerator = torch.zeros((), device=self.device)
        logits = []
        try:
            network = self._compiled if self._compiled is not None and self.is_whole(batch) else self.model
            for images, targets, mix in split_batch(batch, self._parts(len(batch.images))):
                with autocast(self.device, self.arithmetic):
                    output = network(images)
                terms, _ = self._mixed_terms(output.float(), targets, mix)
                torch.autograd.backward(self._scaler.scale(terms.sum() / denominator))
                numerator += terms.detach().sum()
                logits.append(output.detach().float())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise RunError(
                f"Batch normalisation in {self.config.backbone} cannot train on one image of this size at a time.",
                "Use --batch-size 2 or more, or a larger --size.",
            ) from error
        return StepResult(numerator, denominator, torch.cat(logits))

    def _parts(self, count: int) -> int:
        """How many micro-batches: none of them a single image, which batch normalisation cannot train on."""
        parts = -(-count // self.micro_batch)
        return max(1, min(parts, count // 2))

    def _halve_micro_batch(self, batch: int) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        release_memory(self.device)
        parts = self._parts(batch)
        tried = -(-batch // parts)
        self.micro_batch = -(-tried // 2)
        if self._parts(batch) == parts:  # two or three images cannot be halved
            raise RunError(
                f"Memory ran out with {counted(tried, 'image')} of "
                f"{self.config.width} × {self.config.height} pixels.",
                "Use a smaller input (--size), a smaller backbone, or another GPU.",
            )
        self._warn(
            f"Memory ran out; batches of {self.config.batch_size} are now computed "
            f"{self.micro_batch} images at a time, with the gradients added up.",
            None,
        )

    def loss_terms(self, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Numerators and denominators of the loss, each of shape (N,)."""
        return loss_terms(self.config, logits, targets, class_weights=self._class_weights)

    def _mixed_terms(self, logits: Tensor, targets: Tensor, mix: Mix | None) -> tuple[Tensor, Tensor]:
        """As `loss_terms`, where other images may be mixed in."""
        own = self.loss_terms(logits, targets)
        if mix is None:
            return own
        other = self.loss_terms(logits, mix.targets)
        return torch.lerp(other[0], own[0], mix.share), torch.lerp(other[1], own[1], mix.share)

    def _denominator(self, batch: Batch) -> Tensor:
        """Denominator of the batch; it depends on the targets only, so it is known before the first micro-batch."""
        no_logits = torch.zeros(len(batch.targets), self._num_classes, device=self.device)
        weights = self._mixed_terms(no_logits, batch.targets, batch.mix)[1].sum()
        return weights.clamp_min(torch.finfo(weights.dtype).tiny)  # every image may have a class of weight 0

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume exactly: tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "ema": None if self.ema is None else self.ema.module.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": optimizer_state(self.optimizer),
            "schedule": self.schedule.state_dict(),
            "scaler": self._scaler.state_dict(),
            "micro_batch": self.micro_batch,
            "steps_done": self.steps_done,
            "means": None if self.settled is None else asdict(self.settled),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            RuntimeError: Or a ValueError, LookupError, TypeError or AttributeError, if it is of another network,
                of another version, or damaged.
        """
        self.model.load_state_dict(state["model"])
        if self.ema is not None:
            self.ema.module.load_state_dict(state["ema"])
        if self._average is not None:
            self._average.load_state_dict(state["average"], self.model)
        load_optimizer_state(self.optimizer, state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self._scaler.load_state_dict(state["scaler"])
        counts = check(state, _Counts)
        self.micro_batch, self.steps_done = counts.micro_batch, counts.steps_done
        if state.get("means") is not None:  # missing in those of earlier versions
            means = check(state["means"], _SavedMeans)
            self.settled = Means(means.is_compiled, means.is_recorded)
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"] is not None:
            torch.cuda.set_rng_state(state["random_cuda"], self.device)


def split_batch(batch: Batch, parts: int) -> Iterator[tuple[Tensor, Tensor, Mix | None]]:
    """Images, targets and what is mixed in, in so many micro-batches."""
    mixes: Iterable[Mix | None] = repeat(None)
    if batch.mix is not None:
        mixes = map(Mix, batch.mix.targets.tensor_split(parts), batch.mix.share.tensor_split(parts))
    images, targets = batch.images.tensor_split(parts), batch.targets.tensor_split(parts)
    return zip(images, targets, mixes, strict=False)
