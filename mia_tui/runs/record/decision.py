"""How a network decides: the temperature of its probabilities, and the threshold below which it is unsure.

It is chosen on images that the network was not trained on, most often the validation part of its training, and is
kept in a file beside the weights that goes where they go: best.decision.json beside best.safetensors. The file names
the weights by their digest; beside other weights, as after a resume that found a better epoch, it has no effect.

numpy is imported where it is used: the list of runs needs none.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from mia_tui.config.predict import DecisionRule, Share
from mia_tui.decoding import BadRecord, Count, Text, Time
from mia_tui.disk_errors import disk_error
from mia_tui.errors import RunError
from mia_tui.files import read, remove
from mia_tui.runs.disk import write_atomically
from mia_tui.runs.record.encoding import decode_record, encode_record
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.runs.record.model_card import weights_digest
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["UNSURE", "Decision", "DecisionRule", "decide"]

UNSURE = -1
"""The place of a class that is not answered: the probability of the most probable class is below its threshold."""

_PROTOCOL = 1
_MOST_BYTES = 1 << 25  # 100,000 classes
_LEAST = 1e-26  # whose logarithm `runs.evaluation.saved_scores` keeps as well


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
        decision: The decision.
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
    return saved.decision if is_of_weights else None


def is_of_other_weights(weights: Path, *, digest: str | None = None) -> bool:
    """Whether there is a decision beside a weights file that was chosen for other weights, and has no effect.

    Raises:
        RunError: As for `read_decision`.
    """
    return decision_file(weights).is_file() and read_decision(weights, digest=digest) is None


def rule_of(decision: DecisionRule | None) -> DecisionRule:
    """The rule of a decision alone; without one, that nothing is changed and always answered."""
    if decision is None:
        return DecisionRule()
    return DecisionRule(decision.temperature, decision.threshold, decision.by_class)


def network_rule(weights: Path, digest: str) -> DecisionRule | None:
    """The rule that is kept with a network; None if a training may still replace its weights.

    Args:
        weights: The weights file.
        digest: As in `NetworkConfig`.

    Raises:
        RunError: As for `read_decision`.
    """
    return rule_of(read_decision(weights, digest=digest)) if digest else None


def rule_words(rule: DecisionRule) -> str:
    """A rule for people, as `threshold 0.87, temperature 1.32`; empty if it changes nothing."""
    words = [f"threshold {rule.threshold:.6g}"] if rule.threshold else []
    if rule.by_class:
        least, most = min(rule.by_class.values()), max(rule.by_class.values())
        of_classes = counted(len(rule.by_class), "class", "classes")
        words.append(f"thresholds of {of_classes} from {least:.6g} to {most:.6g}")
    if rule.temperature != 1.0:
        words.append(f"temperature {rule.temperature:.3g}")
    return ", ".join(words)


def decision_words(decision: Decision) -> str:
    """A decision with what it does, for people."""
    answered = round(decision.images * decision.coverage)
    known = f", {interval_words(decision)}" if decision.method else ""
    return (
        f"{rule_words(decision) or 'always an answer'}: answers {decision.coverage:.1%} of "
        f"{counted(decision.images, 'image')} of {decision.part}, "
        f"{decision.accuracy:.1%} of these {answered:,} right{known}"
    )


def interval_words(decision: Decision) -> str:
    """How well the accuracy is known, as `95 % interval 97.1 % to 99.6 %, Wilson`; or why that is not known."""
    if decision.interval is None:
        return decision.method
    low, high = decision.interval
    return f"95 % interval {low:.1%} to {high:.1%} ({decision.method})"


def write_decision(weights: Path, decision: Decision, *, digest: str | None = None) -> None:
    """Keep the decision of the network in a weights file, in the place of an earlier one.

    Args:
        weights: The weights file.
        decision: What was chosen.
        digest: `weights_digest` of the weights that it was chosen for; None takes those that are there now.

    Raises:
        RunError: If the weights cannot be read, or the disk does not take it.
    """
    try:
        digest = weights_digest(weights) if digest is None else digest
    except OSError as error:
        raise unreadable(weights, error) from error
    content = encode_record(_SavedDecision(_PROTOCOL, digest, decision))
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


def calibrated(probabilities: "npt.NDArray[Any]", temperature: float) -> "npt.NDArray[Any]":
    """Probabilities of classes at another temperature, shape (n, C), of the same dtype.

    A softmax of logits divided by the temperature is the same as that of the logarithms of its probabilities.

    Args:
        probabilities: Shape (n, C), floating.
        temperature: As in `DecisionRule`.
    """
    if temperature == 1.0:
        return probabilities
    import numpy as np

    scaled = np.log(np.maximum(probabilities.astype(np.float64), _LEAST)) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    result: npt.NDArray[Any] = (powers / powers.sum(axis=1, keepdims=True)).astype(probabilities.dtype)
    return result


def decide(
    rule: DecisionRule | None, probabilities: "npt.NDArray[Any]", classes: Sequence[str]
) -> "npt.NDArray[np.int64]":
    """The place of the most probable class of each image, or `UNSURE` where that is below its threshold.

    Args:
        rule: None always answers.
        probabilities: Shape (n, C), at the temperature of the rule, see `calibrated`.
        classes: Names, in the order of the network.

    Returns:
        Shape (n,), int64; of equally probable classes the first.
    """
    import numpy as np

    best: npt.NDArray[np.int64] = probabilities.argmax(axis=1).astype(np.int64)
    if rule is None or not rule.may_be_unsure:
        return best
    confidence = np.take_along_axis(probabilities, best[:, None], axis=1)[:, 0]
    return np.where(confidence >= least_probabilities(rule, classes)[best], best, UNSURE)


def least_probabilities(rule: DecisionRule, classes: Sequence[str]) -> "npt.NDArray[np.float64]":
    """The threshold of each class by a rule, shape (C,), float64.

    Args:
        rule: The rule.
        classes: Names, in the order of the network.
    """
    import numpy as np

    return np.array([rule.threshold_of(name) for name in classes], np.float64)


def _root_of(weights: Path) -> Path | None:
    """Below which no link is followed, if the weights are those of a run."""
    run = RunDir(weights.parent.parent)
    return run.root if weights == run.best_weights and run.exists() else None
