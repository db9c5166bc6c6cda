"""Every setting of a training run, with range, unit, meaning, and when it has an effect, on the field.

The command line, settings files and the form are all made from the record
`TrainConfig`: a new field, in the module of its group, is in all three. Two
fields NAME_min and NAME_max are a range: `config.check` refuses one whose
smallest value is the larger one. A record of msgspec takes one base, so each
group builds on the one before it, in the order of form and help.

The defaults are our own, chosen by measurement (README); the recipe `mia` in
`config/train/recipes.py` holds the predecessor's, and needs a value for every new
field that changes what is learned.
"""

from typing import ClassVar, Literal

from mia_tui.config.train.augmentation import AugmentationSettings
from mia_tui.config.train.data import LabelSource, Sampling
from mia_tui.config.train.input import Frames, Geometry, Intensity, Resize, Scaling, StackPick
from mia_tui.config.train.run import MOST_THREADS, Cache, Precision, Switch

RecipeName = Literal["default", "quick", "best", "finetune", "scratch", "auto", "mia"]

__all__ = [
    "MOST_THREADS",
    "Cache",
    "Frames",
    "Geometry",
    "Intensity",
    "LabelSource",
    "Precision",
    "RecipeName",
    "Resize",
    "Sampling",
    "Scaling",
    "StackPick",
    "Switch",
    "TrainConfig",
]


class TrainConfig(AugmentationSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training run is asked to do. Names of files are as the user typed them."""

    kind: ClassVar[str] = "train"
    noun: ClassVar[str] = "training"

    @property
    def size(self) -> str:
        """Width and height of the input in one word, such as `224` or `320x240`."""
        return f"{self.width}" if self.width == self.height else f"{self.width}x{self.height}"

    @property
    def view_count(self) -> int:
        """How many flips and turns an input has: eight if it is square, else four."""
        return 8 if self.width == self.height else 4

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels asked for, names or numbers; none for a picture in colour or mono."""
        return tuple(name.strip() for name in (self.channels or "").split(",") if self.channels is not None)

    @property
    def network(self) -> str:
        """What people call the network."""
        return self.backbone
