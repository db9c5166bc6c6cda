"""What a worker is asked to do: job.json and samples.jsonl, written once by `RunDir.create`, and what may change."""

from typing import Annotated, Generic, TypeVar, cast

import msgspec
from msgspec import Meta

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.features import FeaturesConfig
from mia_tui.config.jobs import JOB_CONFIGS, JobConfig
from mia_tui.config.predict import PredictConfig
from mia_tui.config.train import MOST_THREADS, TrainConfig
from mia_tui.config.train.run import MOST_REPEATS
from mia_tui.dataset.model import FRAME_NUMBERING, WHOLE_STACK, Part
from mia_tui.decoding import BadRecord, Count, Frame, Index, Text, Time
from mia_tui.text import printable


class JobClass(msgspec.Struct, frozen=True):
    """A class of a run. Its position in the job is that of its logit; `id` is that in labels.db, or of its folder."""

    id: Count
    name: Text


MOST_CLASSES = 100_000

Classes = Annotated[list[JobClass], Meta(min_length=1, max_length=MOST_CLASSES)]
"""In the order of the logits."""


def check_classes(classes: list[JobClass]) -> None:
    """Refuse two classes with the same name: nothing else tells them apart.

    Raises:
        ValueError: If there are two.
    """
    if len({item.name for item in classes}) < len(classes):
        raise ValueError("two classes have the same name")


Folder = Annotated[str, Meta(max_length=65_536, pattern=r"^/[^\x00]*\Z")]
"""An absolute path: a worker runs in another folder, where a relative one would lead elsewhere."""

Threads = Annotated[int, Meta(ge=1, le=MOST_THREADS)]


Config = TypeVar("Config", bound=JobConfig, covariant=True)


class Repeat(msgspec.Struct, frozen=True):
    """A training that is done several times, with other random numbers: which of these runs this is.

    Attributes:
        group: What all of them are called together.
        number: From 1.
        of: How many there are.
    """

    group: Text
    number: Annotated[int, Meta(ge=1, le=MOST_REPEATS)]
    of: Annotated[int, Meta(ge=1, le=MOST_REPEATS)]


class Job(msgspec.Struct, Generic[Config], frozen=True, kw_only=True):
    """What a worker is asked to do. Its kind is that of its settings.

    Attributes:
        config: The settings.
        dataset: Absolute path of the folder that paths of images are relative to.
        state: Absolute path of the state folder that holds the run.
        classes: In the order of the logits; none where a job is not about classes.
        threads: CPU threads of the worker (in a training, another number gives other weights); None until the first
            attempt begins and takes the cores that are free.
        command: The command line that does the same again.
        created_at: Unix seconds.
        after: Absolute path of the run whose end it waits for; None starts at once.
        moved_to: Where the dataset was when the user named it last, if not at `dataset`; only for a state folder that
            is elsewhere.
        devices: In place of those of the settings, of a run that is resumed on others; None for the same.
        rerun_of: Absolute path of the training that this one repeats; None for none.
        repeat: Which run of a group of repetitions it is; None for a training by itself.
        numbering: What the frames of its images are, see `model.FRAME_NUMBERING`; old jobs do not say.
    """

    config: Config
    dataset: Folder
    state: Folder
    classes: Annotated[list[JobClass], Meta(max_length=MOST_CLASSES)]
    threads: Threads | None
    command: Text
    created_at: Time
    version: Text
    after: Folder | None = None
    moved_to: Folder | None = None
    devices: Text | None = None
    rerun_of: Folder | None = None
    repeat: Repeat | None = None
    numbering: Annotated[int, Meta(ge=1, le=FRAME_NUMBERING)] = 1

    def __post_init__(self) -> None:
        if not self.classes and self.config.kind != FeaturesConfig.kind:
            raise ValueError("there are no classes")
        check_classes(self.classes)

    @property
    def kind(self) -> str:
        return self.config.kind


AnyJob = Job[JobConfig]
TrainJob = Job[TrainConfig]
PredictJob = Job[PredictConfig]
EvaluateJob = Job[EvaluateConfig]
FeaturesJob = Job[FeaturesConfig]


def job_type(kind: str) -> type[AnyJob]:
    """The type of jobs of a kind.

    Raises:
        BadRecord: If this version knows no such kind.
    """
    config = JOB_CONFIGS.get(kind)
    if config is None:
        raise BadRecord(f"it is of the kind {printable(kind)}")
    return cast("type[AnyJob]", Job[config])  # type: ignore[valid-type]  # not known before


class StartSettings(msgspec.Struct, frozen=True, kw_only=True):
    """start.json: how the run's next worker starts, where that was changed since the job was written; as in `Job`."""

    after: Folder | None
    threads: Threads | None
    moved_to: Folder | None
    devices: Text | None = None


class RunNotes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """notes.json: what a person says of a run.

    Attributes:
        title: Shown in place of the folder's name; empty for none.
        tags: Words to find it by.
        note: Any text.
    """

    title: Text = ""
    tags: tuple[Text, ...] = ()
    note: Text = ""


class Sample(msgspec.Struct, frozen=True, rename={"class_index": "class"}, omit_defaults=True):
    """One labelled image of a run; `class_index` is a position in the job's classes.

    `path` is relative to the job's dataset, or absolute (images of --val FOLDER); on disk in the form of
    `text.encode_name`, in memory as `os.fsdecode` gives it.
    """

    path: Text
    class_index: Index
    split: Part
    frame: Frame = 0


def image_name(sample: Sample) -> str:
    """The path of a sample, with its frame where that is not the first."""
    return f"{sample.path} frame {sample.frame}" if sample.frame not in (0, WHOLE_STACK) else sample.path
