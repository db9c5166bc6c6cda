"""Settings of a prediction: which network, on what, and where to."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from mia_tui.config.train import Frames, Precision
from mia_tui.decoding import Text

AbsolutePath = Annotated[str, Meta(max_length=65_536, pattern=r"^/[^\x00]*\Z")]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Temperature = Annotated[float, Meta(ge=0.01, le=100.0)]


class DecisionRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done to the probabilities of a network until there is an answer.

    Attributes:
        temperature: Divides the logits before the softmax (Guo 2017, on calibration of modern neural networks); 1
            leaves probabilities as they are, more makes them less certain. The most probable class stays the same.
        threshold: Least probability of the most probable class; below it the network is unsure. 0 answers always.
        by_class: In its place for some classes, by name.
    """

    temperature: Temperature = 1.0
    threshold: Share = 0.0
    by_class: dict[Text, Share] = {}  # msgspec makes a new one each time

    @property
    def may_be_unsure(self) -> bool:
        """Whether some images may have no answer."""
        return self.threshold > 0.0 or any(self.by_class.values())

    def threshold_of(self, name: str) -> float:
        """The threshold of a class."""
        return self.by_class.get(name, self.threshold)


class EnsembleMember(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several networks that answer together.

    Attributes:
        weights: Its weights file.
        digest: Of that file, as in `NetworkConfig`.
        network: What people call it.
        temperature: Of its probabilities, before they are averaged; 1 leaves them as they are.
    """

    weights: AbsolutePath
    digest: Text
    network: Text
    temperature: Temperature = 1.0


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a trained network is used.

    Attributes:
        weights: Its weights file, best.safetensors of a run or a copy.
        digest: BLAKE2b of that file, 16 bytes as hexadecimal digits: the same path may hold other weights later.
            Empty for the weights that are there when it begins, of a training that is in progress.
        network: What people call it: the name of its run.
        device: auto, cpu, cuda, cuda:N or mps.
        devices: Which of them, see `config.devices`.
        batch_size: Images per batch.
        tta: Whether probabilities are averaged over flipped and turned copies of each image.
        max_megapixels: Larger images are left out; None is the limit of the training.
        frames: Frames of animated files; None is as in training.
        ensemble: All networks, the one in `weights` first, if several answer together: the probabilities are the mean
            of theirs. `digest` and `network` are then those of all of them.
    """

    weights: AbsolutePath
    digest: Text
    network: Text
    device: Text = "auto"
    devices: Text = "1"
    precision: Precision = "auto"
    batch_size: Annotated[int, Meta(ge=1, le=1_000_000)] = 64
    tta: bool = False
    max_megapixels: Annotated[float, Meta(gt=0.0, le=1e6)] | None = None
    frames: Frames | None = None
    ensemble: tuple[EnsembleMember, ...] = ()


class PredictConfig(NetworkConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Predicts images, which are those of the dataset, or those listed in the run's images.jsonl.

    Attributes:
        images: Which of the dataset's images: all of them, or those that the run lists.
        stacks: Whether a stack is one image.
        scope: The same in words, such as "unlabelled images".
        out: The file for the predictions; None keeps them in the run, as suggestions for the app.
        shard: (i, n) for the i-th of n parts, from 1; None for all.
        rule: How probabilities become answers; None takes that of the network when the prediction begins.
        rule_by: Whether the rule is the network's own, or was given for this prediction.
    """

    kind: ClassVar[str] = "predict"
    noun: ClassVar[str] = "prediction"

    images: Literal["all", "listed"] = "all"
    stacks: Literal["frames", "whole"] = "frames"
    scope: Text = "all images"
    out: AbsolutePath | None = None
    shard: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]] | None = None
    rule: DecisionRule | None = DecisionRule()
    rule_by: Literal["network", "user"] = "network"
