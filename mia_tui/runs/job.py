"""What a worker is asked to do: job.json and samples.jsonl, written once by `RunDir.create`."""

from typing import Annotated

import msgspec

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import Part


class JobClass(msgspec.Struct, frozen=True):
    """A class of a run. Its position in the job is its logit; `id` is that of labels.db, or of its folder."""

    id: int
    name: str


class TrainJob(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="train"):
    """A training run.

    Attributes:
        dataset: Absolute path of the folder that sample paths are relative to.
        state: Absolute path of the state folder the run lies in.
        classes: In the order of the logits.
        threads: CPU threads of the worker (another number gives other weights); None until the first attempt
            begins, which takes what is free then.
        command: The command line that does the same again.
        created_at: Unix seconds.
        after: Absolute path of the run whose end it waits for; None starts at once.
    """

    config: TrainConfig
    dataset: str
    state: str
    classes: list[JobClass]
    threads: Annotated[int, msgspec.Meta(ge=1)] | None
    command: str
    created_at: float
    version: str
    after: str | None = None


class Sample(msgspec.Struct, frozen=True, rename={"class_index": "class"}, omit_defaults=True):
    """One labelled image of a run; `class_index` is a position in the job's classes.

    `path` is relative to the job's dataset, or absolute (images of --val FOLDER); on disk in the form of
    `paths.encode_name`, in memory as `os.fsdecode` gives it.
    """

    path: str
    class_index: int
    split: Part
    frame: int = 0
