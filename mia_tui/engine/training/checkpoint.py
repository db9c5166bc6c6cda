"""The checkpoints of a run: last.pt to resume from, best.safetensors to use.

The two are saved together, so that the best weights on disk never come from
an epoch that a resumed run has yet to reach:

1. best.next.safetensors is written,
2. last.pt is replaced; it names the best epoch and thereby decides,
3. best.next.safetensors replaces best.safetensors.

If the process is killed between 2 and 3, `settle_best` repairs that at the next start. Every file is written under
another name, synced and renamed.
"""

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import safetensors
import safetensors.torch
import torch
from msgspec import Meta
from torch import Tensor, nn

from mia_tui.decoding import BadRecord, Count, Elapsed, Index, check
from mia_tui.disk_errors import disk_error
from mia_tui.engine.data.network_input import is_deep
from mia_tui.engine.device import Arithmetic
from mia_tui.engine.inference.familiar import FAMILIAR_KEY, FamiliarFeatures
from mia_tui.engine.network.backbones import build_model
from mia_tui.engine.network.torch_file import check_weights, load_torch_file
from mia_tui.errors import CheckpointError
from mia_tui.files import read, remove, rename
from mia_tui.runs.disk import make_folder, replacing, write_atomically
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import CARD_KEY, Deviation, Mean, ModelCard, card_of, read_card
from mia_tui.text import printable

STATE_FORMAT = 1

Weights = dict[str, Tensor]

_Reals = Annotated[float, Meta(ge=-1e308, le=1e308)]


class _Version(msgspec.Struct):
    format: int


class _SavedProgress(msgspec.Struct, forbid_unknown_fields=True):
    """`engine.training.progress.TrainingProgress`, as it is saved in last.pt."""

    confusion: Tensor
    epoch: Annotated[int, Meta(ge=1, le=2**53)]
    step: Count
    best_epoch: Count
    best_value: _Reals | None
    elapsed_s: Elapsed
    sums: tuple[_Reals, _Reals]
    predicted: Tensor | None
    seconds: dict[str, Elapsed] = {}  # missing in those of earlier versions


class _SavedState(msgspec.Struct):
    """The content of last.pt; `progress` is a `_SavedProgress`, `learner` is checked by `Learner.load_state_dict`."""

    progress: dict[str, Any]
    best_epoch: Count
    arithmetic: Arithmetic
    scaling: tuple[list[Mean], list[Deviation]]
    learner: dict[str, Any]
    skipped: dict[Index, str]
    threads: Count = 1  # missing in those of earlier versions
    processes: Count = 1


@dataclass(frozen=True)
class BestWeights:
    """The best epoch so far.

    Attributes:
        card: Its model card.
        weights: On the CPU.
        familiar: Learns what is familiar to it; called when it is saved.
    """

    card: ModelCard
    weights: Weights
    familiar: Callable[[], FamiliarFeatures | None]


def copy_weights(model: nn.Module) -> Weights:
    """The model's weights and buffers as contiguous CPU tensors that no later step changes."""
    return {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in model.state_dict().items()
    }


def save_checkpoint(run: RunDir, state: dict[str, Any], best: BestWeights | None) -> None:
    """Save the state to resume from and, if they are new, the best weights with it.

    Args:
        run: The run.
        state: Tensors, numbers, strings, lists and dicts only; `best_epoch` names the epoch of `best`.
        best: Weights of a new best epoch; None if those on disk are still the best.

    Raises:
        RunError: If the disk is full or read-only; earlier checkpoints stay as they were.
    """
    make_folder(run.checkpoints, root=run.root)
    if best is not None:
        metadata = {CARD_KEY: msgspec.json.encode(best.card).decode()}
        familiar = best.familiar()
        if familiar is not None:
            metadata[FAMILIAR_KEY] = familiar.encode()
        write_atomically(_next_best(run), safetensors.torch.save(best.weights, metadata), root=run.root)
    buffer = io.BytesIO()
    torch.save({"format": STATE_FORMAT, **state}, buffer)
    with replacing(run.last_checkpoint, root=run.root) as file:
        file.write(buffer.getbuffer())
    if best is not None:
        _take_over_best(run)
        _write_model_json(run, best.card)


def load_state(run: RunDir) -> dict[str, Any] | None:
    """The state that `save_checkpoint` saved last; None if there is none yet.

    Raises:
        CheckpointError: If it is damaged, or a later version of mia-tui wrote it.
    """
    try:
        # As dicts first: msgspec would ask a tensor for the fields of a record, and torch warn of it.
        state: dict[str, Any] = check(load_torch_file(run.last_checkpoint, root=run.root), dict[str, Any])
        version = check(state, _Version).format
        if version == STATE_FORMAT:
            check(state, _SavedState)
            check(state["progress"], _SavedProgress)
    except FileNotFoundError:
        return None
    except (OSError, BadRecord) as error:
        raise _damaged_state(run) from error
    if version != STATE_FORMAT:
        raise CheckpointError(
            f"{printable(run.last_checkpoint)} was saved by a later version.", "Update mia-tui."
        )
    return state


def check_fits(run: RunDir, state: dict[str, Any], *, classes: int, images: int, channels: int) -> None:
    """Refuse a state that was saved for another job.

    Args:
        run: The run.
        state: From `load_state`.
        classes: Number of classes of the job.
        images: Number of images for training and validation.
        channels: Channels of the network's input.

    Raises:
        CheckpointError: If it does not fit this job.
    """
    counts, predicted = state["progress"]["confusion"], state["progress"]["predicted"]
    fits = (
        counts.shape == (classes, classes)
        and counts.dtype == torch.int64
        and (predicted is None or (predicted.shape == (images,) and predicted.dtype == torch.int32))
        and all(len(values) == channels for values in state["scaling"])
        and all(row < images for row in state["skipped"])
    )
    if not fits:
        raise CheckpointError(
            f"{printable(run.last_checkpoint)} is of other images or classes than the run {printable(run.name)}.",
            "Start a new run; the best weights of this one may still be valid.",
        )


def _damaged_state(run: RunDir) -> CheckpointError:
    return CheckpointError(
        f"{printable(run.last_checkpoint)} is damaged.",
        "Start a new run; the best weights of this one may still be valid.",
    )


def settle_best(run: RunDir, best_epoch: int) -> None:
    """Complete or drop what a process killed inside `save_checkpoint` left; call before resuming.

    Args:
        run: The run.
        best_epoch: The best epoch by last.pt; 0 for none.
    """
    pending = _next_best(run)
    if pending.exists():
        if read_card(pending).epoch == best_epoch:
            _take_over_best(run)
        else:
            remove(pending, root=run.root)
    card = card_of(run.best_weights)
    if card is not None:  # the process may have been killed before it wrote the readable copy
        _write_model_json(run, card)


def load_model(path: Path, *, plain: bool = False) -> tuple[nn.Module, ModelCard]:
    """A trained network from its weights file, on the CPU, in eval mode.

    Args:
        path: The file.
        plain: Whether all layers are those of timm, also for images of more than 8 bits; then everything has to be
            computed in float32, see `first_layers`.

    Raises:
        CheckpointError: As `read_card`, or if the weights do not fit the network the card names.
    """
    card = read_card(path)
    model = build_model(
        card.backbone,
        num_classes=len(card.classes),
        in_channels=card.channel_count,
        drop_rate=card.drop_rate,
        drop_path_rate=card.drop_path_rate,
        input_size=(card.height, card.width),
        is_deep=is_deep(card) and not plain,
    )
    try:
        weights = safetensors.torch.load_file(path)
        check_weights(weights)
        model.load_state_dict(weights)
    except BadRecord as error:
        raise CheckpointError(
            f"The weights in {printable(path)} cannot be used: {printable(error)}.",
            "Use another run, or a copy of the file.",
        ) from error
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f"The weights in {printable(path)} do not fit {card.backbone}.",
            "The file may be damaged; use another run.",
        ) from error
    return model.eval(), card


def _next_best(run: RunDir) -> Path:
    return run.checkpoints / "best.next.safetensors"


def _take_over_best(run: RunDir) -> None:
    try:
        rename(_next_best(run), run.best_weights.name, root=run.root)
    except OSError as error:
        raise disk_error(error, run.best_weights) from error


def _write_model_json(run: RunDir, card: ModelCard) -> None:
    text = msgspec.json.format(msgspec.json.encode(card), indent=2)
    with suppress(OSError):
        if read(run.model_json, root=run.root, most_bytes=len(text)) == text:
            return
    write_atomically(run.model_json, text, root=run.root)
