"""Settings of a training: how long it takes, and on what it computes."""

from functools import partial
from typing import Annotated, Literal

from msgspec import Meta

from mia_tui.config.train.about import MOST, about, is_on
from mia_tui.config.train.learning import LearningSettings

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Cache = Literal["auto", "device", "ram", "disk", "none"]
Switch = Literal["auto", "on", "off"]

MOST_THREADS = 4096
MOST_REPEATS = 100
MOST_TRIALS = 100

LEAST_TRIAL_STEPS = 3000
"""Steps that trials may take together, however short the run is: some minutes for small images on two cores."""

TUNABLE = ("lr", "weight_decay", "epochs")
"""Settings that trials can choose."""

_run = partial(about, "Run")


class RunSettings(LearningSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Length, batches, device and arithmetic."""

    epochs: Annotated[
        int,
        _run("How often the network goes through all images that it trains on.", "epochs", ge=1, le=MOST),
    ] = 20
    batch_size: Annotated[
        int, _run("Images that the network learns from at a time.", "images", ge=1, le=MOST)
    ] = 32
    early_stop: Annotated[
        int,
        _run(
            "The training ends after so many epochs without improvement; 0 is never.",
            "epochs",
            ge=0,
            le=MOST,
        ),
    ] = 0
    seed: Annotated[
        int,
        _run(
            "Number that the first weights, the order and the augmentation are drawn from (not the split).",
            ge=0,
            le=2**31 - 1,
        ),
    ] = 0
    deterministic: Annotated[bool, _run("Bit-identical results on a GPU, too; slower.")] = False
    device: Annotated[
        str, _run("auto, cpu, cuda, cuda:N or mps.", pattern="^(auto|cpu|mps|cuda(:[0-9]+)?)$")
    ] = "auto"
    precision: Annotated[
        Precision, _run("Number format of the network; auto takes bf16 where the device is faster with it.")
    ] = "auto"
    cache: Annotated[
        Cache,
        _run(
            "Where images are kept once they are read: device, ram, disk (also for later runs), none (read again "
            "each epoch), auto (by size, and on the disk as well)."
        ),
    ] = "auto"
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_THREADS)] | None,
        _run("CPU threads; left out, one for each core that is free when the run begins.", "threads"),
    ] = None
    devices: Annotated[
        str,
        _run(
            "GPUs that train together: how many, all, or their numbers (0,2); on a CPU, how many processes.",
            pattern="^(all|[1-9][0-9]*|[0-9]+(,[0-9]+)+)$",
        ),
    ] = "1"
    sync_norms: Annotated[
        bool, _run("Whether batch normalisation takes the images of all GPUs together, which is slower.")
    ] = False
    compile: Annotated[
        Switch,
        _run(
            "Whether torch compiles the network, which takes a minute or more and then saves time in every step: on, "
            "off, or auto (on a GPU where the run is long enough to gain by it, not on a CPU, where it gains little)."
        ),
    ] = "auto"
    cuda_graphs: Annotated[
        Switch,
        _run(
            "Whether an NVIDIA GPU repeats a whole step from a recording, which saves time where steps are short: "
            "on, off, or auto (where it gains)."
        ),
    ] = "auto"
    validate_views: Annotated[
        bool,
        _run(
            "Whether each validation image is also shown flipped and turned, and the mean of the answers taken, "
            "which takes longer."
        ),
    ] = False
    trials: Annotated[
        int,
        _run(
            "Short trainings before the run, which choose the settings of --tune by images that they did not learn "
            "from; 0 is none.",
            ge=0,
            le=MOST_TRIALS,
        ),
    ] = 0
    tune: Annotated[
        str,
        _run(
            "Settings that the trials choose, with commas between them: lr, weight_decay, epochs. Unless this is "
            "given, a setting that is given stays as it is.",
            min_length=1,
            only_if=is_on("trials"),
        ),
    ] = ",".join(TUNABLE)
    trial_share: Annotated[
        float,
        _run(
            "How long all trials together take at most, as a share of the run itself; a few thousand steps are "
            "always allowed.",
            gt=0.0,
            le=100.0,
            only_if=is_on("trials"),
        ),
    ] = 1.0
    repeats: Annotated[
        int,
        _run(
            "How many runs, one after the other, each with other random numbers (seed, seed + 1, …); their mean and "
            "spread are reported.",
            "runs",
            ge=1,
            le=MOST_REPEATS,
        ),
    ] = 1


def tuned_settings(config: RunSettings) -> tuple[str, ...]:
    """The settings that the trials of a run choose."""
    wanted = [name.strip() for name in config.tune.split(",")]
    return tuple(name for name in TUNABLE if name in wanted)
