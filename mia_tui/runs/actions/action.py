"""What every action on a run has, and the words that depend on the kind of its job."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from mia_tui.config.jobs import JOB_CONFIGS
from mia_tui.config.train import TrainConfig
from mia_tui.errors import ConfigError
from mia_tui.runs.list.find import kind_of
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.detach_risk import DetachRisk, detach_risk
from mia_tui.text import printable, typed

HowTo = Callable[[str, RunDir], str]
"""How a person does another action (by the id of its key) with a run, as a sentence begins: a key or a command."""

_COMMANDS = {
    "resume": "runs resume {run}",
    "again": "runs again {run}",
    "change": "train DATASET --weights {weights}",
    "stop": "runs stop {run}",
    "kill": "runs stop {run} --kill",
}


def typed_command(action: str, run: RunDir) -> str:
    """The command line of an action."""
    words = _COMMANDS[action].format(run=typed(run.path), weights=typed(run.best_weights))
    return f"`mia-tui {words}`"


@dataclass(frozen=True)
class RunQuestion:
    """What to ask before something is done.

    Attributes:
        title: The question.
        text: What to know before answering.
        yes: The answer that does it.
        no: The safe answer.
    """

    title: str
    text: str
    yes: str
    no: str


class RunAction(ABC):
    """Something that can be done with a run. Every method reads disks, so the app calls them in threads.

    Args:
        run: The run.
        how_to: How a person does other actions, for the sentences.
    """

    starts_worker: ClassVar[bool] = False

    def __init__(self, run: RunDir, how_to: HowTo = typed_command) -> None:
        self.run, self.how_to = run, how_to

    def refusal(self) -> ConfigError | None:
        """Why it is not possible now; None if it is.

        Raises:
            RunError: If the run cannot be read.
        """
        return None

    def question(self) -> RunQuestion | None:
        """What to ask before; None if it needs no question."""
        return None

    def risk(self) -> DetachRisk | None:
        """Why the worker that it starts may be ended from outside; None if nothing indicates that."""
        return detach_risk() if self.starts_worker else None

    def doing(self) -> str:
        """What is said while it is done."""
        return "One moment."

    @abstractmethod
    def do(self) -> str:
        """Do it; returns the sentence that says what happened.

        Raises:
            MiaError: If it fails, or `refusal` has a reason.
        """

    def check(self) -> None:
        """Raise the refusal, if there is one: the run may have changed since it was asked."""
        refusal = self.refusal()
        if refusal is not None:
            raise refusal


@dataclass(frozen=True)
class KindWords:
    """How sentences speak of runs of a kind.

    Attributes:
        noun: What they are called.
        stops: When one ends that is asked to stop, and what is kept.
        killed: What is lost when one is killed, a sentence.
        continues: From where one is resumed.
        saved: What is lost with its folder, besides its log.
    """

    noun: str
    stops: str
    killed: str
    continues: str
    saved: tuple[str, ...]


_TRAINING = KindWords(
    "run",
    "after the current step, with a checkpoint",
    "What it did since its last checkpoint is then lost.",
    "from its last checkpoint",
    ("checkpoints", "metrics"),
)
_OTHERS = {
    "predict": KindWords(
        "prediction",
        "after the current batch, and what is done is kept",
        "What it has done is kept, but for the last images.",
        "where it ended",
        ("predictions",),
    ),
    "evaluate": KindWords(
        "evaluation",
        "after the current batch, and evaluates all images again if it is resumed",
        "It evaluates all images again if it is resumed.",
        "from the first image",
        ("metrics",),
    ),
    "features": KindWords(
        "feature job",
        "after the current batch, and what is done is kept",
        "What it has done is kept, but for the last images.",
        "where it ended",
        (),
    ),
}


def kind_words(run: RunDir) -> KindWords:
    """The words for a run; those of a training where its kind cannot be read."""
    kind = kind_of(run)
    if kind == TrainConfig.kind or kind not in JOB_CONFIGS:
        return _TRAINING
    return _OTHERS.get(kind) or replace(_OTHERS["predict"], noun=JOB_CONFIGS[kind].noun, saved=("results",))


def called(run: RunDir) -> str:
    """What people call a run: its title, or the name of its folder."""
    return printable(run.notes().title or run.name)


def named(run: RunDir) -> str:
    """`run TITLE` or `prediction TITLE`, to follow an article."""
    return f"{kind_words(run).noun} {called(run)}"
