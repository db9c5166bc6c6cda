"""What a worker is asked to do: job.json and samples.jsonl, written once by `RunDir.create`."""

from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.config.train import MOST_THREADS, TrainConfig
from mia_tui.dataset.model import Part
from mia_tui.decoding import Count, Frame, Text, Time


class JobClass(msgspec.Struct, frozen=True):
    """A class of a run. Its position in the job is that of its logit; `id` is that in labels.db, or of its folder."""

    id: Count
    name: Text


Classes = Annotated[list[JobClass], Meta(min_length=1, max_length=100_000)]
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


class TrainJob(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="train"):
    """A training run.

    Attributes:
        dataset: Absolute path of the folder that sample paths are relative to.
        state: Absolute path of the state folder that holds the run.
        classes: In the order of the logits.
        threads: CPU threads of the worker (another number gives other weights); None until the first attempt
            begins and takes the cores that are free.
        command: The command line that does the same again.
        created_at: Unix seconds.
        after: Absolute path of the run whose end it waits for; None starts at once.
        moved_to: Where the dataset was when the user named it last, if not at `dataset`; only for a state folder that
            is elsewhere.
    """

    config: TrainConfig
    dataset: Folder
    state: Folder
    classes: Classes
    threads: Annotated[int, Meta(ge=1, le=MOST_THREADS)] | None
    command: Text
    created_at: Time
    version: Text
    after: Folder | None = None
    moved_to: Folder | None = None

    def __post_init__(self) -> None:
        check_classes(self.classes)


class Sample(msgspec.Struct, frozen=True, rename={"class_index": "class"}, omit_defaults=True):
    """One labelled image of a run; `class_index` is a position in the job's classes.

    `path` is relative to the job's dataset, or absolute (images of --val FOLDER); on disk in the form of
    `text.encode_name`, in memory as `os.fsdecode` gives it.
    """

    path: Text
    class_index: Frame
    split: Part
    frame: Frame = 0


def image_name(sample: Sample) -> str:
    """The path of a sample, with its frame where that is not the first."""
    return f"{sample.path} frame {sample.frame}" if sample.frame else sample.path
