"""The model card: what must be known to use a trained network, kept inside its weights file.

`best.safetensors` carries the card in its metadata and works alone; model.json is a readable copy.
"""

import msgspec

from mia_tui.config.train import Frames, Geometry, Resize
from mia_tui.runs.job import JobClass

CARD_KEY = "mia_tui"


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """A trained network in words.

    Attributes:
        backbone: Name in the catalogue, or timm:NAME.
        classes: In the order of the logits.
        width: Input width, pixels.
        height: Input height, pixels.
        mean: One value for each channel, for pixels scaled to 0..1.
        std: As `mean`.
        run: Name of the run's folder.
        epoch: Epoch the weights are of, from 1.
        metric: The watched figure.
        value: Its value in that epoch.
        judged_on: Part of the data the value comes from.
    """

    backbone: str
    classes: list[JobClass]
    width: int
    height: int
    color: bool
    geometry: Geometry
    resize: Resize
    mean: list[float]
    std: list[float]
    max_megapixels: float
    frames: Frames
    drop_rate: float
    drop_path_rate: float
    run: str
    epoch: int
    metric: str
    value: float | None
    judged_on: str
    version: str
