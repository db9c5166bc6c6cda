"""The weight of each class in the loss: none, inverse frequency or its square root, effective number, or by hand.

Free of torch, so that the command line can check and show the weights before a run starts.
"""

import difflib
import math
from collections.abc import Mapping, Sequence

from mia_tui.catalog.losses import CLASS_WEIGHTINGS
from mia_tui.errors import ConfigError
from mia_tui.text import did_you_mean, printable

_BY_NAME = tuple(name for name in CLASS_WEIGHTINGS if name != "manual")


def class_weight_values(
    spec: str, counts: Sequence[int], class_names: Sequence[str], beta: float = 0.999
) -> list[float] | None:
    """The weight of each class in the loss.

    Automatic weights are scaled so that the mean over all training images is 1; the loss is divided by the
    weights of its images anyway, so only their ratios matter.

    Args:
        spec: `none`, `inverse`, `sqrt`, `effective`, or `NAME=WEIGHT,NAME=WEIGHT` (classes left out weigh 1).
        counts: Training images of each class; a class without any gets 1.
        class_names: In the same order.
        beta: For `effective`; in (0, 1).

    Returns:
        One weight a class, or None for `none`.

    Raises:
        ConfigError: If the text is none of these, a class is unknown or named twice, or a weight is no
            number of 0 or more, or all are 0.

    Source: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", 2019, eq. 2.
    """
    parsed = parse_class_weights(spec)
    if isinstance(parsed, dict):
        return _manual(parsed, class_names)
    if parsed == "none":
        return None
    if parsed in ("inverse", "sqrt"):
        power = 1.0 if parsed == "inverse" else 0.5
        return _scaled([1 / n**power if n else 0.0 for n in counts], counts)
    return _scaled([1 / _effective(n, beta) if n else 0.0 for n in counts], counts)


def parse_class_weights(spec: str) -> str | dict[str, float]:
    """The text as one of the names of automatic weights, or as weights by class name; names are not looked up.

    Raises:
        ConfigError: If it is neither.
    """
    word = spec.strip()
    if word in _BY_NAME:
        return word
    if "=" not in word:
        near = difflib.get_close_matches(word.lower(), _BY_NAME, n=1)
        hint = did_you_mean(near) or "By hand: NAME=WEIGHT,NAME=WEIGHT."
        raise ConfigError(
            f"--class-weights {printable(word)!r} is not none, inverse, sqrt, effective or NAME=WEIGHT.", hint
        )
    weights: dict[str, float] = {}
    for item in _items(word):
        name, _, number = item.rpartition("=")
        name = name.strip()
        if name in weights:
            raise ConfigError(f"--class-weights names the class {printable(name)!r} twice.")
        weights[name] = _weight(name, number)
    return weights


def _items(text: str) -> list[str]:
    """NAME=WEIGHT pieces; a comma inside a name is kept, since the text before it has no weight yet."""
    items: list[str] = []
    open_item = ""
    for piece in text.split(","):
        open_item = f"{open_item},{piece}" if open_item else piece
        if "=" in piece:
            items.append(open_item)
            open_item = ""
    if open_item.strip():
        raise ConfigError(
            f"--class-weights: {printable(open_item.strip())!r} has no weight.",
            "Write NAME=WEIGHT,NAME=WEIGHT.",
        )
    return items


def _weight(name: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(
            f"--class-weights: {printable(number.strip())!r} is no weight for the class {printable(name)!r}.",
            "A weight is a number of 0 or more, as 2 or 0.5.",
        )
    return value


def _manual(weights: Mapping[str, float], class_names: Sequence[str]) -> list[float]:
    for name in weights:
        if name not in class_names:
            near = difflib.get_close_matches(name, class_names, n=1)
            known = ", ".join(printable(known) for known in class_names[:10]) + (
                ", ..." if class_names[10:] else ""
            )
            hint = did_you_mean(near) or f"The classes are {known}."
            raise ConfigError(f"--class-weights: there is no class {printable(name)!r}.", hint)
    values = [weights.get(name, 1.0) for name in class_names]
    if not any(values):
        raise ConfigError(
            "--class-weights makes every class weigh 0.", "Give at least one class a weight above 0."
        )
    return values


def _effective(count: int, beta: float) -> float:
    """(1 - beta^n) / (1 - beta), exact for beta close to 1."""
    return -math.expm1(count * math.log(beta)) / (1 - beta)


def _scaled(raw: Sequence[float], counts: Sequence[int]) -> list[float]:
    """Raw weights times a factor that makes the mean over the images 1."""
    total = sum(weight * count for weight, count in zip(raw, counts, strict=True))
    factor = sum(counts) / total if total else 0.0
    return [weight * factor if count else 1.0 for weight, count in zip(raw, counts, strict=True)]
