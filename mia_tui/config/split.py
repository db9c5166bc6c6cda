"""The limits of a split's settings, for `train` and for `labels split`."""

import re

from mia_tui.errors import ConfigError
from mia_tui.text import printable

SPLIT_FIELDS = ("val_fraction", "test_fraction", "group_by", "split_seed")
"""The settings that a stored split decides where nobody names them."""


def check_split(val_fraction: float, test_fraction: float, group_by: str | None) -> None:
    """Refuse a split that cannot be made.

    Raises:
        ConfigError: If a fraction is not a share, nothing is left to train on, or the pattern is not a
            regular expression.
    """
    for name, value in (("--val-fraction", val_fraction), ("--test-fraction", test_fraction)):
        if not 0.0 <= value < 1.0:
            raise ConfigError(f"{name} {value:g} is not a share.", "Give a number from 0 to below 1.")
    if val_fraction + test_fraction >= 1.0:
        raise ConfigError(
            f"--val-fraction {val_fraction:g} and --test-fraction {test_fraction:g} leave nothing to train on.",
            "Their sum must be below 1.",
        )
    if group_by is not None:
        compile_pattern(group_by)


def compile_pattern(group_by: str, option: str = "--group-by") -> re.Pattern[str]:
    """The pattern of --group-by, or of another option that makes groups.

    Raises:
        ConfigError: If it is not a regular expression.
    """
    try:
        return re.compile(group_by)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{option} {printable(group_by)!r} is not a regular expression: {error}.",
            f"Example: {option} 'slide([0-9]+)_' keeps the images of a slide together.",
        ) from error
