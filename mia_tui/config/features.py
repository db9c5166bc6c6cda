"""Settings of a job that makes features: by which network, of the images of a dataset."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from mia_tui.config.predict import AbsolutePath
from mia_tui.config.train import Precision
from mia_tui.decoding import Text

BYTES_PER_GB = 10**9

MOST_BYTES = 5 * BYTES_PER_GB
"""For the features of all datasets, unless the user's settings say otherwise."""

SHIPPED_NETWORK = "efficientnetlite0"
"""The backbone whose ImageNet weights come with the program."""


class FeaturesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Makes the features of a dataset's images that have none yet, in the user's cache folder.

    Attributes:
        weights: Weights file of a trained network; None for the network that comes with the program.
        network_id: What its features are told from those of other networks by, see `features.layout`.
        network: What people call it.
        device: auto, cpu, cuda, cuda:N or mps.
        batch_size: Images per batch.
        stacks: Whether a stack is one image.
        most_bytes: That the features of all datasets may take; those that were not used for longest are removed.
    """

    kind: ClassVar[str] = "features"
    noun: ClassVar[str] = "feature job"

    weights: AbsolutePath | None = None
    network_id: Text
    network: Text = SHIPPED_NETWORK
    device: Text = "auto"
    precision: Precision = "auto"
    batch_size: Annotated[int, Meta(ge=1, le=1_000_000)] = 32
    stacks: Literal["frames", "whole"] = "frames"
    most_bytes: Annotated[int, Meta(ge=1, le=2**62)] = MOST_BYTES
