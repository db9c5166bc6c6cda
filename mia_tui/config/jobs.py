"""The kinds of jobs: each has its settings here, and its work in the module of engine.jobs with its name."""

from typing import ClassVar, Protocol

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.features import FeaturesConfig
from mia_tui.config.predict import PredictConfig
from mia_tui.config.train import TrainConfig


class JobConfig(Protocol):
    """Settings of a job, a frozen `msgspec.Struct`.

    Attributes:
        kind: Its name on disk, and that of the module `mia_tui.engine.jobs.KIND` whose `work` does it.
        noun: What people call it, for sentences.
        device: auto, cpu, cuda, cuda:N or mps.
        network: What people call the network that it is about.
    """

    kind: ClassVar[str]
    noun: ClassVar[str]

    @property
    def device(self) -> str: ...

    @property
    def network(self) -> str: ...


JOB_CONFIGS: dict[str, type[JobConfig]] = {
    config.kind: config for config in (TrainConfig, PredictConfig, EvaluateConfig, FeaturesConfig)
}
