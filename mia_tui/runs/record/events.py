"""What a worker reports: one JSON object a line in events.jsonl.

`t` is Unix seconds. Changing what a field means raises PROTOCOL; fields that are not listed here are ignored (a
run_started of earlier versions has a `kind`). Numbers that are not finite are written as the strings nan, inf, -inf,
because JSON cannot express them and msgspec would write null.
"""

from typing import Any, Literal

import msgspec

from mia_tui.decoding import Count, Elapsed, Text, Time
from mia_tui.runs.record.trials import Trial, TrialsChoice

PROTOCOL = 1
MOST_NAMED = 20
"""How many of the images that were left out of an epoch its event names: it stays a line of a few hundred bytes."""

Outcome = Literal["finished", "stopped", "failed"]
PhaseName = Literal["waiting", "importing", "loading", "trials", "training", "working"]
"""`trials` are short trainings that choose settings; `working` is what jobs of other kinds than a training do."""

StartPart = Literal["settings", "libraries", "images", "network", "first step"]
"""What an attempt does up to its first step; `settings` is what comes before the libraries."""


class EpochPlace(msgspec.Struct, frozen=True):
    """A place in a run: `step` steps of epoch `epoch` (from 1) are done."""

    epoch: Count
    step: Count


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Any event; `t` is when it happened, Unix seconds."""

    t: Time


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """A worker began to work on the run; `attempt` counts from 1, `resumed_at` is None for a fresh start.

    `cpu` and `arithmetic` (fp32, bf16 or fp16) are empty where they are not known, and in runs of earlier versions.
    """

    protocol: int
    attempt: Count
    resumed_at: EpochPlace | None
    pid: Count
    host: Text
    boot_id: Text
    versions: dict[str, str]
    device: Text
    total_epochs: Count
    steps_per_epoch: Count
    cpu: Text = ""
    arithmetic: Text = ""


class Phase(Event, frozen=True, kw_only=True, tag="phase"):
    """What the worker is doing from now on."""

    name: PhaseName
    message: str = ""


class StartTimed(Event, frozen=True, kw_only=True, tag="start_timed"):
    """The first step of an attempt was done, `total_s` after its process began, without the wait for other runs.

    `parts` are seconds of what came before it (names of `StartPart`), in order. Some happen side by side.
    """

    total_s: Elapsed
    parts: dict[str, Elapsed]


class StepEnded(Event, frozen=True, kw_only=True, tag="step_ended"):
    """A step (at most five a second are reported); `memory_bytes` is the device's peak, or the process's on a CPU."""

    epoch: Count
    step: Count
    loss: float
    lr: float
    images_per_s: float
    memory_bytes: Count


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Images that were left out of an epoch because they could not be read."""

    train: Count
    """How many images of the training part."""
    of_train: Count
    """How many images the training part has."""
    val: Count
    of_val: Count
    images: dict[str, str]
    """The first `MOST_NAMED` of them, each with the reason; names as `text.encode_name` gives them."""

    @property
    def count(self) -> int:
        return self.train + self.val


class EpochEnded(Event, frozen=True, kw_only=True, tag="epoch_ended"):
    """Metrics of an epoch; `val` is None without a validation part. `elapsed_s`: of the run, without pauses.

    `left_out` is None where every image could be read, and in runs of earlier versions. `views` of each validation
    image were shown, of which the mean counts. `averaged` says of how many epochs the weights are the mean; it is 0
    for those of this epoch alone.
    """

    epoch: Count
    train: dict[str, float]
    val: dict[str, float] | None
    elapsed_s: Elapsed
    left_out: LeftOut | None = None
    views: Count = 1
    averaged: Count = 0

    @property
    def figures(self) -> dict[str, float]:
        """Metrics of the validation part; without one, of the training part."""
        return self.train if self.val is None else self.val


class TrialEnded(Event, frozen=True, kw_only=True, tag="trial_ended"):
    """A trial of settings is done, one `of` so many at most."""

    trial: Trial
    of: Count


class SettingsChosen(Event, frozen=True, kw_only=True, tag="settings_chosen"):
    """The trials are done; the run has `total_epochs` now."""

    choice: TrialsChoice
    total_epochs: Count


class TimeUsed(Event, frozen=True, kw_only=True, tag="time_used"):
    """What the time of a training went into, of all attempts up to now; after each epoch and at an attempt's end.

    Attributes:
        seconds: Of each `time_use.TimePart`.
        sentence: Its bottleneck, and the way out; empty where nothing stands out.
    """

    seconds: dict[str, Elapsed]
    sentence: Text


class ConfusionSaved(Event, frozen=True, kw_only=True, tag="confusion"):
    """A confusion matrix was written to `file`, relative to the run."""

    epoch: Count
    split: Text
    file: Text


class ProgressMade(Event, frozen=True, kw_only=True, tag="progress"):
    """`done` of `total` images of the present phase."""

    done: Count
    total: Count


class CheckpointSaved(Event, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A checkpoint is on disk; `path` is relative to the run."""

    path: Text
    epoch: Count
    is_best: bool


class ResultSaved(Event, frozen=True, kw_only=True, tag="result"):
    """What a job other than a training has made; written before its end.

    Attributes:
        sentence: What it is, for people.
        file: Where it is: relative to the run, or absolute.
        counts: Images of each predicted class, the most frequent first; empty where that says nothing.
        unsure: Images that are predicted as none, since their most probable class is below its threshold.
        problem_count: Images that could not be read.
        problems: The first `MOST_NAMED` of them, each with the reason; names as `text.encode_name` gives them.
        other_kinds: Files of other kinds that lay among the images, by ending.
        figures: Metrics, by name.
        remark: What makes it less certain, a sentence; empty for nothing.
    """

    sentence: Text
    file: Text
    counts: dict[str, Count] = {}
    unsure: Count = 0
    problem_count: Count = 0
    problems: dict[str, str] = {}
    other_kinds: dict[str, Count] = {}
    figures: dict[str, float] = {}
    remark: Text = ""


class Warned(Event, frozen=True, kw_only=True, tag="warning"):
    """Something the user should know; the run continues."""

    message: str
    hint: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """Why a run failed; `kind` is the class of the error."""

    kind: str
    message: str
    hint: str | None = None


class RunEnded(Event, frozen=True, kw_only=True, tag="run_ended"):
    """The last event of an attempt."""

    outcome: Outcome
    error: Failure | None = None


class UnknownEvent(msgspec.Struct, frozen=True):
    """An event of another version of this program."""

    raw: dict[str, Any]


KnownEvent = (
    RunStarted
    | Phase
    | StartTimed
    | StepEnded
    | EpochEnded
    | TrialEnded
    | SettingsChosen
    | TimeUsed
    | ConfusionSaved
    | ProgressMade
    | CheckpointSaved
    | ResultSaved
    | Warned
    | RunEnded
)
