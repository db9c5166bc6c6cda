"""Which means make the steps of a run faster: recordings on an NVIDIA GPU, and compiling the network.

What `cuda_graphs` and `compile` leave to the program (auto) is tried in the first steps of a run, which all count as
any other, and kept where it is faster by `LEAST_GAIN`: first recordings, which take a second or two, then compiling,
which takes a minute or more and is tried only where the rest of the run would gain much more than that. Steps in
which only the head learns are not measured, unless all are such.

On a CPU nothing is tried: there a run that is stopped and resumed, or done again, ends with the same weights to the
bit, and compiling gains 0 (resnet18) to 15 % (mobilenetv2). `--compile on` compiles from the first step, and from the
first one after a resume, so that this stays true.

What was chosen is saved with the run, so that a resumed run computes as before. A recorded step has the same results
as one that is not. A compiled network rounds otherwise: in float32 the loss of the first step differs by less than a
millionth of it, and after 40 steps by a hundred-thousandth. A run on a GPU that is stopped before the choice was
made, and resumed, is compiled from another step on; with `deterministic` nothing is compiled unless asked for.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
import torch.distributed as dist

from mia_tui.catalog.optimizers import OPTIMIZERS
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.run import Switch
from mia_tui.engine.data.feed import Batch
from mia_tui.engine.device import Arithmetic, is_out_of_memory
from mia_tui.engine.training.learner import Learner, Means
from mia_tui.engine.training.steps.step_graphs import WARM_UP_STEPS, RecordingError, StepResult
from mia_tui.errors import ConfigError, MiaError, RunError
from mia_tui.text import printable

LEAST_GAIN = 1.03
"""A means is kept if steps without it take so many times as long."""

COMPILING_S = 90.0
"""How long compiling is expected to take: 10 networks took 9 to 95 s on two cores."""

WORTH = 2.0
"""Compiling is tried if it is expected to save so many times what it takes."""

EXPECTED_SHARE = 0.2
"""Share of the time that compiling is expected to save on a GPU. On an H100 it was 0.26 for resnet18 and 0.29 for
resnet50 (bf16, 224 pixels, batches of 256)."""

LONGEST_RECORDED_S = 0.1
"""A recording is tried for steps up to this: launching kernels takes some milliseconds of it."""

MEASURED_STEPS = 10
_SKIPPED_STEPS = WARM_UP_STEPS + 2  # at the beginning of a trial: recording, and algorithms that are chosen

Trial = Literal["recording", "compiling"]
Step = Callable[[Batch], StepResult]


def refuse_impossible_means(config: TrainConfig, device: torch.device, arithmetic: Arithmetic) -> None:
    """Refuse means that the user asks for where they cannot work.

    Raises:
        ConfigError: Says why, and what to leave out.
    """
    for option, why_not in (("cuda_graphs", _why_no_recording), ("compile", _why_no_compiling)):
        reason = why_not(config, device, arithmetic)
        if getattr(config, option) == "on" and reason:
            flag = option.replace("_", "-")
            raise ConfigError(f"--{flag} on cannot be used: {reason}.", f"Leave --{flag} at auto.")


def _why_no_recording(config: TrainConfig, device: torch.device, arithmetic: Arithmetic) -> str | None:
    if device.type != "cuda":
        return "only an NVIDIA GPU can repeat steps from a recording"
    if config.devices != "1" or _is_parallel():
        return "steps of several devices cannot be recorded"
    if arithmetic == "fp16":
        return "with fp16 a step depends on whether its gradients are finite"
    if not OPTIMIZERS[config.optimizer].is_recordable:
        return f"torch cannot record a step of {OPTIMIZERS[config.optimizer].title}"
    return None


def _why_no_compiling(config: TrainConfig, device: torch.device, arithmetic: Arithmetic) -> str | None:
    if device.type not in ("cuda", "cpu"):
        return f"torch compiles networks for NVIDIA GPUs and CPUs, not for {device.type}"
    if config.devices != "1" or _is_parallel():
        return "networks on several devices are not compiled"
    if config.start_size < 1:
        return "the size of the input changes (--start-size), and each size would be compiled"
    return None


def _is_parallel() -> bool:
    return dist.is_available() and dist.is_initialized()


def call(step: Step, batch: Batch) -> StepResult:
    """Do a step."""
    return step(batch)


class FastSteps:
    """Does the steps of a run, and chooses by which means.

    Args:
        learner: Does one step.
        steps_left: How many steps the run has before it.
        say: Takes what is being done, a phrase.
        warn: Takes a message and a hint.
        do: Calls a step with its batch; not used for the one that compiles, which is unlike others.
    """

    def __init__(
        self,
        learner: Learner,
        *,
        steps_left: Callable[[], int],
        say: Callable[[str], None],
        warn: Callable[[str, str | None], None],
        do: Callable[[Step, Batch], StepResult] = call,
    ) -> None:
        self._learner, self._config, self._do = learner, learner.config, do
        self._steps_left, self._say, self._warn = steps_left, say, warn
        self._trials: deque[Trial] = deque()
        self._trial: Trial | None = None  # what is being tried
        self._size = torch.Size()  # of the images that are measured: they may grow
        self._best = self._first_means()
        self._best_s: float | None = None
        self._has_compiled = False
        self._window = StepWindow(learner.device)
        learner.use(self._best)
        if not self._trials:
            learner.settled = self._best

    def _first_means(self) -> Means:
        """What the run begins with; what is to be tried goes to the list of trials."""
        settled = self._learner.settled
        was = settled or Means()
        is_recorded = self._is_used("recording", self._config.cuda_graphs, was.is_recorded)
        is_compiled = self._is_used("compiling", self._config.compile, was.is_compiled)
        if settled is not None:
            self._trials.clear()
        return Means(is_compiled=is_compiled, is_recorded=is_recorded)

    def _is_used(self, trial: Trial, switch: Switch, before: bool) -> bool:
        """Whether something is used from the beginning; if that is left to the program, it is to be tried."""
        why_not = {"recording": _why_no_recording, "compiling": _why_no_compiling}[trial]
        if switch == "off" or why_not(self._config, self._learner.device, self._learner.arithmetic):
            return False
        must_stay = self._config.deterministic or self._learner.device.type == "cpu"  # the same to the bit
        if switch == "auto" and not (trial == "compiling" and must_stay):
            self._trials.append(trial)
        return switch == "on" or before

    def step(self, batch: Batch) -> StepResult:
        """Do a step.

        Raises:
            RunError: If what the user asks for fails: compiling, or recording.
        """
        if self._learner.settled is not None or not self._is_measured(batch):
            return self._safe_step(batch)
        if batch.images.shape != self._size:
            self._measure_anew(batch.images.shape)
        self._window.begin()
        result = self._safe_step(batch)
        self._window.end()
        if self._window.count == _SKIPPED_STEPS + MEASURED_STEPS:
            self._decide(self._window.median_s(skipped=_SKIPPED_STEPS))
            self._window = StepWindow(self._learner.device)
        return result

    # Trials

    def _is_measured(self, batch: Batch) -> bool:
        """Whether a step is like most of the run: neither of a smaller batch, nor of its head alone."""
        is_before_most = self._learner.is_frozen and self._config.freeze_epochs < self._config.epochs
        return self._learner.is_whole(batch) and not is_before_most

    def _measure_anew(self, size: torch.Size) -> None:
        """Images have another size from now on: steps of before tell nothing of those to come."""
        self._size, self._best_s, self._window = size, None, StepWindow(self._learner.device)
        if self._trial is not None:
            self._trials.appendleft(self._trial)
            self._trial = None
            self._learner.use(self._best)

    def _decide(self, step_s: float) -> None:
        """Keep what is tried, or go back; then go on with what is to be tried next."""
        means = self._learner.means
        if self._best_s is None or self._best_s >= LEAST_GAIN * step_s:
            if self._best_s is not None:
                self._say(
                    f"{_words(means)}: steps take {step_s * 1e3:.3g} ms instead of {self._best_s * 1e3:.3g}"
                )
            self._best, self._best_s = means, step_s
        elif means != self._best:
            self._say(f"{_words(self._best)}: {_tried(means, self._best)} would save nothing")
            self._learner.use(self._best)
        self._trial = None
        while self._trials:
            trial = self._trials.popleft()
            if self._begin(trial, self._best_s):
                self._trial = trial
                return
        self._learner.settled = self._best

    def _begin(self, trial: Trial, step_s: float) -> bool:
        """Begin a trial; False if it is not worth it."""
        if trial == "recording":
            if step_s > LONGEST_RECORDED_S:
                return False
            self._learner.use(replace(self._best, is_recorded=True))
            return True
        if not is_compiling_worth(step_s, self._steps_left()):
            return False
        self._learner.use(replace(self._best, is_compiled=True))
        return True

    # Faults

    def _safe_step(self, batch: Batch) -> StepResult:
        """A step; where the present means fail, without them."""
        if self._learner.means.is_compiled and not self._has_compiled and self._learner.is_whole(batch):
            return self._compiling_step(batch)
        was_recorded = self._learner.means.is_recorded
        try:
            result = self._do(self._learner.step, batch)
            if was_recorded and not self._learner.means.is_recorded:  # memory ran out
                self._drop(recorded=True)
            return result
        except RecordingError as error:
            self._give_up("cuda_graphs", f"The GPU cannot repeat steps of {self._config.backbone}", error)
            self._drop(recorded=True)
            return self._safe_step(batch)

    def _compiling_step(self, batch: Batch) -> StepResult:
        """The first step of a compiled network, in which it is compiled."""
        self._say("compiling the network, which takes a minute or more")
        self._has_compiled = True
        begun = time.monotonic()
        try:
            result = self._learner.step(batch)
        except MiaError:
            raise
        except RecordingError:
            return self._safe_step(batch)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self._give_up("compile", f"torch cannot compile {self._config.backbone} here", error)
            self._drop(compiled=True)
            return self._safe_step(batch)
        self._say(f"the network is compiled, after {time.monotonic() - begun:.0f} s")
        return result

    def _give_up(self, option: str, what: str, error: Exception) -> None:
        """Say that something is not done.

        Raises:
            RunError: If the user asked for it.
        """
        reason = printable(str(error).strip().split("\n")[0].rstrip(".")) or type(error).__name__
        flag = option.replace("_", "-")
        if getattr(self._config, option) == "on":
            raise RunError(f"{what}: {reason}.", f"Start it with --{flag} off.") from error
        self._warn(f"{what}; the run goes on without. The reason: {reason}.", None)

    def _drop(self, *, compiled: bool = False, recorded: bool = False) -> None:
        """Never use something again; what is measured begins anew."""
        means, self._trial = self._learner.means, None
        self._learner.use(Means(means.is_compiled and not compiled, means.is_recorded and not recorded))
        self._best = Means(self._best.is_compiled and not compiled, self._best.is_recorded and not recorded)
        self._window = StepWindow(self._learner.device)
        if self._learner.settled is not None:
            self._learner.settled = self._learner.means


def is_compiling_worth(step_s: float, steps_left: int) -> bool:
    """Whether the rest of a run on a GPU would gain enough by compiling.

    Args:
        step_s: Seconds of a step.
        steps_left: How many there are.
    """
    return EXPECTED_SHARE * step_s * steps_left > WORTH * COMPILING_S


class StepWindow:
    """The time of some steps in a row, without what lies between them; a GPU is waited for at the end only."""

    def __init__(self, device: torch.device) -> None:
        self._is_cuda = device.type == "cuda"
        self._marks: list[tuple[torch.cuda.Event | float, torch.cuda.Event | float]] = []
        self._begun: torch.cuda.Event | float = 0.0

    @property
    def count(self) -> int:
        """Steps so far."""
        return len(self._marks)

    def begin(self) -> None:
        """A step begins."""
        self._begun = self._now()

    def end(self) -> None:
        """It was computed, or put on the stream of the GPU."""
        self._marks.append((self._begun, self._now()))

    def median_s(self, *, skipped: int) -> float:
        """Seconds of a step, without the first ones."""
        return statistics.median(_between(*marks) for marks in self._marks[skipped:])

    def _now(self) -> torch.cuda.Event | float:
        if not self._is_cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event


def _between(begin: torch.cuda.Event | float, end: torch.cuda.Event | float) -> float:
    if isinstance(begin, float) or isinstance(end, float):
        assert isinstance(begin, float) and isinstance(end, float)
        return end - begin
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3


def _words(means: Means) -> str:
    compiled = "the network is compiled" if means.is_compiled else ""
    recorded = "steps are repeated from a recording" if means.is_recorded else ""
    return " and ".join(filter(None, (compiled, recorded))) or "steps are computed as before"


def _tried(means: Means, best: Means) -> str:
    return "compiling it" if means.is_compiled != best.is_compiled else "a recording"
