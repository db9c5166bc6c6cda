"""The model card: what is needed to use a trained network, stored in its weights file.

`best.safetensors` carries the model card in its metadata and works alone; model.json is a readable copy.
On disk `evaluated_on` is called judged_on.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.config.train import Frames, Geometry, Resize
from mia_tui.decoding import Count, Text
from mia_tui.runs.record.job import Classes, check_classes

CARD_KEY = "mia_tui"

Side = Annotated[int, Meta(ge=8, le=4096)]
Rate = Annotated[float, Meta(ge=0.0, lt=1.0)]
Mean = Annotated[float, Meta(ge=-10.0, le=10.0)]
Deviation = Annotated[float, Meta(gt=1e-6, le=1e6)]


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, rename={"evaluated_on": "judged_on"}):
    """What a trained network is and how it was trained.

    Attributes:
        backbone: Name in the catalogue, or timm:NAME.
        classes: In the order of the logits.
        width: Input width, pixels.
        height: Input height, pixels.
        mean: One value for each channel, for pixels scaled to 0..1.
        std: As `mean`.
        run: Name of the run's folder.
        epoch: Epoch the weights are of, from 1.
        metric: The metric that decided which epoch is best.
        value: Its value in that epoch.
        evaluated_on: Part of the data the value comes from.
    """

    backbone: Text
    classes: Classes
    width: Side
    height: Side
    color: bool
    geometry: Geometry
    resize: Resize
    mean: list[Mean]
    std: list[Deviation]
    max_megapixels: Annotated[float, Meta(gt=0.0, le=1e6)]
    frames: Frames
    drop_rate: Rate
    drop_path_rate: Rate
    run: Text
    epoch: Count
    metric: Text
    value: float | None
    evaluated_on: Text
    version: Text

    def __post_init__(self) -> None:
        check_classes(self.classes)
        channels = 3 if self.color else 1
        if not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"mean and std must be {channels} values each")
