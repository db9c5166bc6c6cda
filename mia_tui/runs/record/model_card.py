"""The model card: what is needed to use a trained network, stored in its weights file.

`best.safetensors` carries the model card in its metadata and works alone; model.json is a readable copy.
On disk `evaluated_on` is called judged_on.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import msgspec
import safetensors
from msgspec import Meta

from mia_tui.config.train import Frames, Geometry, Resize, StackPick
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap, count_channels
from mia_tui.dataset.model import StackMode
from mia_tui.decoding import BadRecord, Count, Text, decode_json
from mia_tui.errors import CheckpointError
from mia_tui.files import open_to_read
from mia_tui.paths import real_path
from mia_tui.runs.record.job import Classes, check_classes
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import printable

CARD_KEY = "mia_tui"

_HEADER_AT = 8  # in a file of safetensors, behind its length: JSON
_LONGEST_HEADER = 1 << 24  # one of 10,000 tensors has 2 MB, the names of 100,000 classes some more

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
        color: Red, green and blue, or one grey channel; without effect where the map names channels.
        mean: One value for each channel, for pixels scaled to 0..1.
        std: As `mean`.
        pixel_size: Micrometres of a pixel of the input; None if `geometry` decided the scale.
        input_map: From the values of the files to brightness; earlier versions had one for all.
        stack: What is taken of a stack that is one image.
        stacks: Whether stacks were labelled as a whole.
        run: Name of the run's folder.
        epoch: Epoch the weights are of, from 1.
        metric: The metric that decided which epoch is best.
        value: Its value in that epoch.
        evaluated_on: Part of the data the value comes from.
        fingerprint: Of the images that it was trained and evaluated on, see `runs.record.fingerprint`; empty in those
            of earlier versions.
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
    stack: StackPick = "max"
    stacks: StackMode = "frames"
    drop_rate: Rate
    drop_path_rate: Rate
    run: Text
    epoch: Count
    metric: Text
    value: float | None
    evaluated_on: Text
    version: Text
    pixel_size: Annotated[float, Meta(gt=0.0, le=1e6)] | None = None
    input_map: InputMap = AS_BEFORE
    fingerprint: Text = ""

    @property
    def channel_count(self) -> int:
        """Channels of the network's input."""
        return count_channels(self.input_map, color=self.color)

    def __post_init__(self) -> None:
        check_classes(self.classes)
        channels = self.channel_count
        if not len(self.mean) == len(self.std) == channels:
            raise ValueError(f"mean and std must be {channels} values each")


def is_safetensors(path: Path) -> bool:
    """Whether a file is in the safetensors format, by its content, since suffixes vary.

    Raises:
        BadRecord: If its header is longer than that of any network. The library would accept 100 MB, which takes half
            a minute and 2 GB of memory.
        OSError: If it cannot be read; a named pipe or a device is not waited for.
    """
    with open_to_read(path, follow=True) as file:
        start = file.read(_HEADER_AT + 1)
    if start[_HEADER_AT:] != b"{":
        return False
    if int.from_bytes(start[:_HEADER_AT], "little") > _LONGEST_HEADER:
        raise BadRecord(f"its header is longer than {_LONGEST_HEADER:,} bytes")
    return True


def read_card(path: Path) -> ModelCard:
    """The model card inside a weights file.

    Raises:
        CheckpointError: If there is no such file, it is damaged, or has no card.
    """
    try:
        is_safetensors(path)
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        return decode_json(metadata[CARD_KEY], ModelCard)
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{printable(path)} does not exist.", "A run has weights as soon as its first epoch is saved."
        ) from error
    except KeyError as error:
        raise CheckpointError(
            f"{printable(path)} was not saved by mia-tui.", "To start from such weights, use train --weights."
        ) from error
    except BadRecord as error:
        raise CheckpointError(
            f"The model card in {printable(path)} is damaged: {printable(error)}.",
            "Use another run, or a copy of the file.",
        ) from error
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"{printable(path)} is damaged.", "Use another run, or a copy of the file."
        ) from error


def card_of(path: Path) -> ModelCard | None:
    """The card of a weights file that mia-tui saved; None for any other file."""
    try:
        return read_card(path)
    except CheckpointError:
        return None


def weights_digest(weights: Path) -> str:
    """BLAKE2b of a file, 16 bytes as hexadecimal digits."""
    digest = blake2b(digest_size=16)
    with open_to_read(weights, follow=True) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def tensors_digest(weights: Path) -> str:
    """BLAKE2b of the names, types, shapes and bytes of all tensors in a safetensors file, 16 bytes as hex digits.

    Unlike `weights_digest` it is equal for equal weights of two runs: what the file says of its run is left out.

    Raises:
        BadRecord: If it is no such file.
        OSError: If it cannot be read.
    """
    if not is_safetensors(weights):
        raise BadRecord("it is not in the safetensors format")
    with open_to_read(weights, follow=True) as file:
        length = int.from_bytes(file.read(_HEADER_AT), "little")
        tensors = decode_json(file.read(length), dict[str, Any])
        tensors.pop("__metadata__", None)
        digest = blake2b(msgspec.json.encode(tensors, order="deterministic"), digest_size=16)
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def network_name(weights: Path) -> str:
    """What people call the network in a weights file: its run, or the name of the file."""
    run = RunDir(real_path(weights).parent.parent)
    if run.best_weights == real_path(weights) and run.exists():
        return run.notes().title or run.name
    return weights.stem
