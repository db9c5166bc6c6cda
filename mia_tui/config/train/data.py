"""Settings of a training: which labels, and which images validate."""

from functools import partial
from typing import Annotated, Literal

from mia_tui.config.train.about import about, is_split
from mia_tui.config.train.run import RunSettings

LabelSource = Literal["auto", "folders", "store"]
Sampling = Literal["all", "sqrt", "balanced"]

_split = partial(about, "Data")


class DataSettings(RunSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labels, and the parts that the images are split into."""

    labels: Annotated[
        LabelSource,
        _split("Where labels come from: folders (their names), store (what was labelled or imported), auto."),
    ] = "auto"
    val_fraction: Annotated[
        float,
        _split(
            "Share of the labelled images for validation: they are not trained on, and show how good the network is.",
            ge=0.0,
            lt=1.0,
            only_if=is_split,
        ),
    ] = 0.2
    test_fraction: Annotated[
        float,
        _split(
            "Share of the labelled images kept for a test: no training sees them.",
            ge=0.0,
            lt=1.0,
            only_if=is_split,
        ),
    ] = 0.0
    group_by: Annotated[
        str | None,
        _split(
            "Regular expression; images whose paths agree in its groups (or its whole match) stay in one part. "
            "Empty is none.",
            only_if=is_split,
        ),
    ] = None
    split_seed: Annotated[
        int, _split("Number that the split is drawn from.", ge=0, le=2**31 - 1, only_if=is_split)
    ] = 0
    val: Annotated[str | None, _split("A folder of labelled images to validate on instead of a split.")] = (
        None
    )
    sampling: Annotated[
        Sampling,
        _split(
            "How often images of rare classes are shown in an epoch, which stays as long: all (each image once), "
            "balanced (all classes equally often), sqrt (in between)."
        ),
    ] = "all"
