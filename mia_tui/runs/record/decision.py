"""How a network decides: the temperature of its probabilities, and the threshold below which it is unsure.

It is chosen on images that the network was not trained on, most often the validation part of its training, and is
kept in a file beside the weights that goes where they go: best.decision.json beside best.safetensors. The file names
the weights by their digest; beside other weights, as after a resume that found a better epoch, it has no effect.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from mia_tui.decoding import BadRecord, Count, Text, Time
from mia_tui.disk_errors import disk_error
from mia_tui.errors import RunError
from mia_tui.files import read, remove
from mia_tui.runs.disk import write_atomically
from mia_tui.runs.record.encoding import decode_record, encode_record
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.runs.record.model_card import weights_digest
from mia_tui.text import decode_name, encode_name, printable

UNSURE = -1
"""The place of a class that is not answered: the probability of the most probable class is below its threshold."""

_PROTOCOL = 1
_MOST_BYTES = 1 << 25  # 100,000 classes
_LEAST = 1e-26  # whose logarithm `runs.evaluation.saved_scores` keeps as well

Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Temperature = Annotated[float, Meta(ge=0.01, le=100.0)]


class DecisionRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is done to the logits of a network until there is an answer.

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
    def is_plain(self) -> bool:
        """Whether it changes nothing: probabilities as they are, and always an answer."""
        return self.temperature == 1.0 and not self.may_be_unsure

    @property
    def may_be_unsure(self) -> bool:
        """Whether some answers may be missing."""
        return self.threshold > 0.0 or any(self.by_class.values())

    def thresholds(self, classes: Sequence[str]) -> npt.NDArray[np.float64]:
        """The threshold of each class, shape (C,), float64.

        Args:
            classes: Names, in the order of the network.
        """
        return np.array([self.by_class.get(name, self.threshold) for name in classes], np.float64)


class Decision(DecisionRule, frozen=True, kw_only=True):
    """A rule that was chosen for a network, and what it does to the images that it was chosen on.

    Attributes:
        part: Part of these images: val, test, or all.
        images: How many there were.
        coverage: Share of them that is answered.
        accuracy: Share of the answered ones that is right.
        interval: The 95 % interval of the accuracy, low and high; None where there were too few.
        method: How the interval was computed, such as "bootstrap over 24 slides"; or why there is none.
        chosen_at: Unix seconds.
    """

    part: Text
    images: Count
    coverage: Share
    accuracy: Share
    interval: tuple[Share, Share] | None = None
    method: Text = ""
    chosen_at: Time


class _SavedDecision(msgspec.Struct, frozen=True):
    """The file.

    Attributes:
        protocol: 1.
        weights: Digest of the weights it was chosen for.
        decision: The decision, the names of whose classes are as `encode_name` gives them.
    """

    protocol: Annotated[int, Meta(ge=_PROTOCOL, le=_PROTOCOL)]
    weights: Text
    decision: Decision


def decision_file(weights: Path) -> Path:
    """Where the decision of a network is: cells.decision.json for cells.safetensors."""
    return weights.with_suffix(".decision.json")


def read_decision(weights: Path, *, digest: str | None = None) -> Decision | None:
    """The decision that was chosen for the network in a weights file; None for none, or one for other weights.

    Reading the weights takes about a second for each gigabyte, and only where there is a decision.

    Args:
        weights: The weights file.
        digest: Its `weights_digest`, where it is known already.

    Raises:
        RunError: If the file is damaged or cannot be read; predicting without it would answer what it leaves open.
    """
    file = decision_file(weights)
    try:
        saved = decode_record(read(file, follow=True, most_bytes=_MOST_BYTES), _SavedDecision)
        is_of_weights = saved.weights == (weights_digest(weights) if digest is None else digest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(file, error) from error
    except BadRecord as error:
        raise RunError(
            f"{printable(file)} is damaged: {error}.",
            "Choose the threshold again with `mia-tui runs threshold`, or delete the file.",
        ) from error
    return _with_names(saved.decision, decode=True) if is_of_weights else None


def is_of_other_weights(weights: Path, *, digest: str | None = None) -> bool:
    """Whether there is a decision beside a weights file that was chosen for other weights, and has no effect.

    Raises:
        RunError: As for `read_decision`.
    """
    return decision_file(weights).is_file() and read_decision(weights, digest=digest) is None


def write_decision(weights: Path, decision: Decision) -> None:
    """Keep the decision of the network in a weights file, in the place of an earlier one.

    Raises:
        RunError: If the weights cannot be read, or the disk does not take it.
    """
    try:
        digest = weights_digest(weights)
    except OSError as error:
        raise unreadable(weights, error) from error
    content = encode_record(_SavedDecision(_PROTOCOL, digest, _with_names(decision, decode=False)))
    write_atomically(decision_file(weights), content, root=_root_of(weights))


def remove_decision(weights: Path) -> bool:
    """Remove the decision beside a weights file; whether there was one.

    Raises:
        RunError: If it cannot be removed.
    """
    file = decision_file(weights)
    there = file.is_file()
    try:
        remove(file, root=_root_of(weights))
    except OSError as error:
        raise disk_error(error, file) from error
    return there


def calibrated(probabilities: npt.NDArray[Any], temperature: float) -> npt.NDArray[Any]:
    """Probabilities of classes at another temperature, shape (n, C), of the same dtype.

    A softmax of logits divided by the temperature is the same as that of the logarithms of its probabilities.

    Args:
        probabilities: Shape (n, C), floating.
        temperature: As in `DecisionRule`.
    """
    if temperature == 1.0:
        return probabilities
    scaled = np.log(np.maximum(probabilities.astype(np.float64), _LEAST)) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: npt.NDArray[Any] = (powers / powers.sum(axis=1, keepdims=True)).astype(probabilities.dtype)
    return result


def decide(
    rule: DecisionRule | None, probabilities: npt.NDArray[Any], classes: Sequence[str]
) -> npt.NDArray[np.int64]:
    """The place of the most probable class of each image, or `UNSURE` where that is below its threshold.

    Args:
        rule: None always answers.
        probabilities: Shape (n, C), at the temperature of the rule, see `calibrated`.
        classes: Names, in the order of the network.

    Returns:
        Shape (n,), int64; of equally probable classes the first.
    """
    best: npt.NDArray[np.int64] = probabilities.argmax(axis=1).astype(np.int64)
    if rule is None or not rule.may_be_unsure:
        return best
    confidence = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
    return np.where(confidence >= rule.thresholds(classes)[best], best, UNSURE)


def _with_names(decision: Decision, *, decode: bool) -> Decision:
    change = decode_name if decode else encode_name
    return msgspec.structs.replace(
        decision, by_class={change(name): least for name, least in decision.by_class.items()}
    )


def _root_of(weights: Path) -> Path | None:
    """Below which no link is followed, if the weights are those of a run."""
    run = RunDir(weights.parent.parent)
    return run.root if weights == run.best_weights and run.exists() else None
