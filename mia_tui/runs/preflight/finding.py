"""Something that would hurt a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CheckFinding:
    """Something that would hurt.

    Attributes:
        message: What it is, one sentence.
        hint: What to do.
    """

    message: str
    hint: str
