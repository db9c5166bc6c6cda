"""What is said of a setting of a training: heading, meaning, unit, limits, and when it has an effect."""

from typing import TYPE_CHECKING, Any

from msgspec import Meta

from mia_tui.config.fields import Condition

if TYPE_CHECKING:
    from mia_tui.config.train import TrainConfig

MOST = 1_000_000  # epochs, images a step: beyond any use, and below what overflows
LARGEST = 1e6  # of rates: beyond any use, and below what overflows


def about(
    group: str, description: str, unit: str = "", *, only_if: Condition | None = None, **more: Any
) -> Meta:
    """What is said of a field.

    Args:
        group: Heading above it in forms and help.
        description: What it means, a sentence; when somebody would change it stands in `advice`.
        unit: Of its value.
        only_if: Whether it has an effect, from the other settings; the form shows it only then.
        more: Limits (gt, ge, lt, le, min_length, pattern), and `title` where the form calls it something else than
            its name.
    """
    return Meta(description=description, extra={"group": group, "unit": unit, "only_if": only_if}, **more)


def has_value(name: str, value: str) -> Condition:
    """Whether another setting has a value."""
    return lambda config: bool(getattr(config, name) == value)


def is_on(*chances: str) -> Condition:
    """Whether one of these settings, each 0 where it is off, is on."""
    return lambda config: any(getattr(config, chance) > 0 for chance in chances)


def is_split(config: "TrainConfig") -> bool:
    """Whether the labelled images are split, and not validated on a folder of their own."""
    return config.val is None
