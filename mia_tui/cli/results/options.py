"""What is shown of results: the options that `evaluate` and `runs results` share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from mia_tui.cli.shared.options import Option, check_new_file
from mia_tui.errors import ConfigError

_SECTION = "What is shown"
_MOST_SHOWN = 100_000

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class ShownResults:
    """What is shown of results, and where to.

    Attributes:
        shares: Whether the confusion matrix has shares of the images of each class in place of counts.
        by_similarity: Whether classes that are confused stand beside each other in it.
        top: How many images of the largest losses, and of those on which two runs differ, are listed.
        csv: File for all figures; None for none.
    """

    shares: bool = False
    by_similarity: bool = False
    top: int = 10
    csv: Path | None = None


def result_options(function: _Function) -> _Function:
    """The options; arrive as `shares`, `by_similarity`, `top`, `csv` and `overwrite`, for `shown_results`."""
    for option in reversed(
        (
            click.option(
                "--shares",
                cls=Option,
                is_flag=True,
                section=_SECTION,
                help="Confusion matrix with the shares of each class's images in place of counts.",
            ),
            click.option(
                "--by-similarity",
                cls=Option,
                is_flag=True,
                section=_SECTION,
                help="Confusion matrix with classes that are confused beside each other; otherwise in their order.",
            ),
            click.option(
                "--top",
                cls=Option,
                type=click.IntRange(0, _MOST_SHOWN),
                default=10,
                show_default=True,
                metavar="N",
                section=_SECTION,
                help="List so many images with the largest losses, and of two runs on which they differ.",
            ),
            click.option(
                "--csv",
                cls=Option,
                type=click.Path(path_type=Path, readable=False),
                metavar="FILE",
                section=_SECTION,
                help="Write all figures with their intervals, and the confusion matrix, to a file: one row each.",
            ),
            click.option(
                "--overwrite",
                cls=Option,
                is_flag=True,
                section=_SECTION,
                help="Replace the file of --csv if it exists.",
            ),
        )
    ):
        function = option(function)
    return function


def group_by_option(function: _Function) -> _Function:
    """--group-by; arrives as `group_by: str | None`."""
    return click.option(
        "--group-by",
        cls=Option,
        metavar="REGEX",
        help="Images with the same match in their path (a slide, a patient) are a group, over which intervals are "
        "computed; by default as in the training of the network.",
    )(function)


def shown_results(
    shares: bool, by_similarity: bool, top: int, csv: Path | None, overwrite: bool
) -> ShownResults:
    """What is shown, after checking that the file can be written.

    Raises:
        ConfigError: If --overwrite is given without --csv, or the file is a folder.
        DataError: If the file exists already, or its folder does not.
    """
    if csv is None and overwrite:
        raise ConfigError("--overwrite is for the file of --csv.", "Leave it out, or name a file.")
    if csv is not None:
        check_new_file(csv, overwrite=overwrite)
    return ShownResults(shares, by_similarity, top, csv)
