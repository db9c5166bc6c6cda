"""Every setting of a training run, with range, unit, meaning, and when it has an effect, on the field.

The command line, settings files and the form are all made from this record: a
new field is in all three. Two fields NAME_min and NAME_max are a range:
`config.check` refuses one whose smallest value is the larger one. The defaults
are our own, chosen by measurement (README); the recipe `mia` in `recipes.py`
holds the predecessor's, and needs a value for every new field that changes what
is learned.
"""

from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from mia_tui.catalog.losses import LossName
from mia_tui.catalog.metrics import MetricName
from mia_tui.catalog.optimizers import OptimizerName
from mia_tui.catalog.schedules import ScheduleName
from mia_tui.config.fields import MICROMETRES, Condition

Scaling = Literal["auto", "zero_one", "minus_one_one", "imagenet"]
Geometry = Literal["squash", "letterbox", "crop"]
Resize = Literal["nearest", "linear", "cubic", "lanczos"]
Intensity = Literal["dataset", "type", "image"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Cache = Literal["auto", "device", "ram", "none"]
LabelSource = Literal["auto", "folders", "store"]
Frames = Literal["first", "all"]
StackPick = Literal["max", "mean", "middle"]
RecipeName = Literal["default", "mia"]

MOST_THREADS = 4096
_MOST = 1_000_000  # epochs, images a step: beyond any use, and below what overflows
_LARGEST = 1e6  # of rates: beyond any use, and below what overflows


def _about(
    group: str, description: str, unit: str = "", *, only_if: Condition | None = None, **more: Any
) -> Meta:
    """What is said of a field.

    Args:
        group: Heading above it in forms and help.
        description: What it means, a sentence.
        unit: Of its value.
        only_if: Whether it has an effect, from the other settings; the form shows it only then.
        more: Limits (gt, ge, lt, le, min_length, pattern), and `title` where the form calls it something else than
            its name.
    """
    return Meta(description=description, extra={"group": group, "unit": unit, "only_if": only_if}, **more)


_network = partial(_about, "Network")
_input = partial(_about, "Input")
_loss = partial(_about, "Loss and metric")
_optimizer = partial(_about, "Optimizer")
_run = partial(_about, "Run")
_split = partial(_about, "Data")
_augment = partial(_about, "Augmentation")


def _chance(description: str, **more: Any) -> Meta:
    return _augment(f"Probability of {description}; 0 is never.", ge=0.0, le=1.0, **more)


def _is_split(config: "TrainConfig") -> bool:
    return config.val is None


def _is(name: str, value: str) -> Condition:
    """Whether another setting has a value."""
    return lambda config: bool(getattr(config, name) == value)


def _on(chance: str) -> Condition:
    """Whether the augmentation of that field may happen at all."""
    return lambda config: bool(getattr(config, chance) > 0)


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training run is asked to do. Names of files are as the user typed them."""

    kind: ClassVar[str] = "train"
    noun: ClassVar[str] = "training"

    backbone: Annotated[
        str, _network("Network; `mia-tui backbones` lists them, timm:NAME is any other of timm.")
    ] = "resnet18"
    weights: Annotated[
        str, _network("Weights to start from: none, imagenet, or a file or folder of weights.", min_length=1)
    ] = "none"
    drop_rate: Annotated[float, _network("Dropout in front of the head.", ge=0.0, lt=1.0)] = 0.0
    drop_path_rate: Annotated[
        float, _network("Stochastic depth; not every backbone has it.", ge=0.0, lt=1.0)
    ] = 0.0
    ema_decay: Annotated[
        float,
        _network(
            "Decay of a running mean of the weights that is validated and saved; 0 is off.", ge=0.0, lt=1.0
        ),
    ] = 0.0

    width: Annotated[int, _input("Input width.", "pixels", ge=8, le=4096)] = 224
    height: Annotated[int, _input("Input height.", "pixels", ge=8, le=4096)] = 224
    color: Annotated[
        bool,
        _input(
            "Colour (red, green, blue) or mono (one channel).",
            title="colour",
            only_if=lambda config: config.channels is None,
        ),
    ] = True
    channels: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        _input(
            "Channels of the files that the network is given, by name or by number from 0: DAPI,GFP or 0,2. Left "
            "out, a picture in colour or mono, and of files that hold no picture all channels."
        ),
    ] = None
    intensity: Annotated[
        Intensity,
        _input(
            "How bright images of more than 8 bits are for the network: dataset (the same values are black and white "
            "in all images, measured on some that are trained on), type (the whole range of the files' numbers is "
            "used), image (each image is stretched by itself, so that bright and dark ones look alike). Images of 8 "
            "bits stay as they are."
        ),
    ] = "dataset"
    geometry: Annotated[
        Geometry,
        _input(
            "How an image is fitted to the input size: squash, letterbox (borders black) or crop (the middle).",
            only_if=lambda config: config.pixel_size is None,
        ),
    ] = "squash"
    pixel_size: Annotated[
        Annotated[float, Meta(gt=0.0, le=_LARGEST)] | None,
        _input(
            "Size of a pixel of the input, so that images of two microscopes have one scale: 0.5, 0.5um or 500nm. "
            "What is larger than the input is cut off, what is smaller gets black borders; files that do not say "
            "their pixel size cannot be used. Left out, every image fills the input.",
            MICROMETRES,
        ),
    ] = None
    resize: Annotated[Resize, _input("How images are resized, always with anti-aliasing.")] = "cubic"
    scaling: Annotated[
        Scaling,
        _input(
            "Range of the values that the network is given: zero_one (0..1), minus_one_one (-1..1), imagenet (mean "
            "and deviation of ImageNet), auto (what the weights expect; imagenet without weights)."
        ),
    ] = "auto"
    max_megapixels: Annotated[
        float, _input("Larger images are skipped, with a warning.", "megapixels", gt=0.0, le=_MOST)
    ] = 120.0
    frames: Annotated[Frames, _input("Frames taken of animated GIF and WebP files.")] = "first"
    stack: Annotated[
        StackPick,
        _input(
            "What is taken of a stack that is labelled as a whole: the brightest value of each pixel over all frames "
            "(max), their mean, or the frame in the middle."
        ),
    ] = "max"

    loss: Annotated[LossName, _loss("Loss.")] = "cross_entropy"
    focal_gamma: Annotated[
        float,
        _loss(
            "Focusing strength of the focal loss; 0 is cross entropy.",
            ge=0.0,
            le=10.0,
            only_if=_is("loss", "focal"),
        ),
    ] = 2.0
    label_smoothing: Annotated[
        float, _loss("Share of each target spread over all classes.", ge=0.0, lt=1.0)
    ] = 0.0
    class_weights: Annotated[
        str,
        _loss(
            "none, inverse, effective, or by hand: NAME=WEIGHT,NAME=WEIGHT (others weigh 1).", min_length=1
        ),
    ] = "none"
    effective_beta: Annotated[
        float,
        _loss(
            "Beta of the effective number of images (Cui et al. 2019).",
            gt=0.0,
            lt=1.0,
            only_if=lambda config: config.class_weights.strip() == "effective",
        ),
    ] = 0.999
    metric: Annotated[
        MetricName,
        _loss(
            "Metric on the validation part that decides which epoch is best. The default is the loss: it differs "
            "between epochs of the same accuracy, which are frequent with a few hundred images."
        ),
    ] = "loss"

    optimizer: Annotated[OptimizerName, _optimizer("Optimizer.")] = "adamw"
    lr: Annotated[
        Annotated[float, Meta(gt=0.0, le=_LARGEST)] | None,  # msgspec takes limits inside a union only
        _optimizer(
            "Learning rate at the start; left out, the optimizer's own default.", title="learning rate"
        ),
    ] = None
    weight_decay: Annotated[
        Annotated[float, Meta(ge=0.0, le=_LARGEST)] | None,
        _optimizer("Weight decay (biases and norms are spared); left out, the optimizer's own default."),
    ] = None
    momentum: Annotated[
        float, _optimizer("Momentum of SGD (Nesterov).", ge=0.0, lt=1.0, only_if=_is("optimizer", "sgd"))
    ] = 0.9
    schedule: Annotated[ScheduleName, _optimizer("Schedule of the learning rate.")] = "cosine"
    plateau_factor: Annotated[
        float,
        _optimizer(
            "plateau: what the learning rate is multiplied by.",
            gt=0.0,
            lt=1.0,
            only_if=_is("schedule", "plateau"),
        ),
    ] = 0.2
    plateau_patience: Annotated[
        int,
        _optimizer(
            "plateau: epochs without improvement.",
            "epochs",
            ge=1,
            le=_MOST,
            only_if=_is("schedule", "plateau"),
        ),
    ] = 5
    step_factor: Annotated[
        float,
        _optimizer("step: factor of the rate.", gt=0.0, lt=1.0, only_if=_is("schedule", "step")),
    ] = 0.5
    step_epochs: Annotated[
        int,
        _optimizer(
            "step: epochs between two changes of the rate.",
            "epochs",
            ge=1,
            le=_MOST,
            only_if=_is("schedule", "step"),
        ),
    ] = 25
    min_lr: Annotated[
        float,
        _optimizer(
            "Lowest learning rate.",
            ge=0.0,
            le=_LARGEST,
            only_if=lambda config: config.schedule != "constant",
            title="lowest learning rate",
        ),
    ] = 1e-6
    warmup_epochs: Annotated[
        float,
        _optimizer(
            "cosine: epochs of linear warm-up.", "epochs", ge=0.0, le=_MOST, only_if=_is("schedule", "cosine")
        ),
    ] = 1.0

    epochs: Annotated[int, _run("Passes over the training part.", "epochs", ge=1, le=_MOST)] = 20
    batch_size: Annotated[int, _run("Images per training step.", "images", ge=1, le=_MOST)] = 32
    early_stop: Annotated[
        int, _run("Stop after so many epochs without improvement; 0 is never.", "epochs", ge=0, le=_MOST)
    ] = 0
    seed: Annotated[
        int,
        _run(
            "Changes the first weights, the order and the augmentation (not the split).", ge=0, le=2**31 - 1
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
        _run("Where decoded images are kept: device, ram, none (read again each epoch), auto (by size)."),
    ] = "auto"
    threads: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_THREADS)] | None,
        _run("CPU threads; left out, one for each core that is free when the run begins.", "threads"),
    ] = None

    labels: Annotated[
        LabelSource,
        _split("Where labels come from: folders (their names), store (what was labelled or imported), auto."),
    ] = "auto"
    val_fraction: Annotated[
        float, _split("Share of the labelled images for validation.", ge=0.0, lt=1.0, only_if=_is_split)
    ] = 0.2
    test_fraction: Annotated[
        float, _split("Share of the labelled images kept for a test.", ge=0.0, lt=1.0, only_if=_is_split)
    ] = 0.0
    group_by: Annotated[
        str | None,
        _split(
            "Regular expression; images whose paths agree in its groups (or its whole match) stay in one part. "
            "Empty is none.",
            only_if=_is_split,
        ),
    ] = None
    split_seed: Annotated[int, _split("Changes the split.", ge=0, le=2**31 - 1, only_if=_is_split)] = 0
    val: Annotated[str | None, _split("A folder of labelled images to validate on instead of a split.")] = (
        None
    )

    flip_horizontal: Annotated[float, _chance("a flip left to right")] = 0.5
    flip_vertical: Annotated[float, _chance("a flip upside down")] = 0.5
    rotate90: Annotated[
        float, _chance("a turn by 90, 180 or 270 degrees; by 180 where the input is not square")
    ] = 0.75
    blur: Annotated[float, _chance("a Gaussian blur")] = 0.0
    blur_sigma: Annotated[
        float, _augment("Blur: largest sigma.", "pixels", gt=0.0, le=20.0, only_if=_on("blur"))
    ] = 3.0
    piecewise_affine: Annotated[float, _chance("a distortion by moving the points of a grid")] = 0.0
    piecewise_scale_min: Annotated[
        float,
        _augment(
            "Piecewise affine: smallest deviation of a point, as a share of the image.",
            ge=0.0,
            le=0.2,
            only_if=_on("piecewise_affine"),
        ),
    ] = 0.01
    piecewise_scale_max: Annotated[
        float,
        _augment(
            "Piecewise affine: largest deviation of a point, as a share of the image.",
            ge=0.0,
            le=0.2,
            only_if=_on("piecewise_affine"),
        ),
    ] = 0.05
    dropout: Annotated[float, _chance("blacking out pixels or patches (one or the other)")] = 0.0
    dropout_pixels_min: Annotated[
        float, _augment("Pixel dropout: smallest share.", ge=0.0, le=1.0, only_if=_on("dropout"))
    ] = 0.01
    dropout_pixels_max: Annotated[
        float, _augment("Pixel dropout: largest share.", ge=0.0, le=1.0, only_if=_on("dropout"))
    ] = 0.1
    dropout_pixels_per_channel: Annotated[
        float, _chance("pixel dropout in each colour separately", only_if=_on("dropout"))
    ] = 0.5
    dropout_patches_min: Annotated[
        float, _augment("Patch dropout: smallest share.", ge=0.0, le=1.0, only_if=_on("dropout"))
    ] = 0.03
    dropout_patches_max: Annotated[
        float, _augment("Patch dropout: largest share.", ge=0.0, le=1.0, only_if=_on("dropout"))
    ] = 0.15
    dropout_patch_size_min: Annotated[
        float,
        _augment(
            "Patch dropout: fewest patches along a side, as a share of the pixels along it.",
            gt=0.0,
            le=1.0,
            only_if=_on("dropout"),
        ),
    ] = 0.02
    dropout_patch_size_max: Annotated[
        float,
        _augment(
            "Patch dropout: most patches along a side, as a share of the pixels along it.",
            gt=0.0,
            le=1.0,
            only_if=_on("dropout"),
        ),
    ] = 0.05
    dropout_patches_per_channel: Annotated[
        float, _chance("patch dropout in each colour separately", only_if=_on("dropout"))
    ] = 0.2
    affine: Annotated[float, _chance("scaling, shifting, shearing and rotating together")] = 0.0
    affine_scale_min: Annotated[
        float, _augment("Affine: smallest scale, x and y separately.", gt=0.0, le=1.0, only_if=_on("affine"))
    ] = 0.8
    affine_scale_max: Annotated[
        float, _augment("Affine: largest scale, x and y separately.", ge=1.0, le=10.0, only_if=_on("affine"))
    ] = 1.2
    affine_shift: Annotated[
        float,
        _augment(
            "Affine: largest shift, as a share of width and height.", ge=0.0, le=1.0, only_if=_on("affine")
        ),
    ] = 0.2
    affine_shear: Annotated[
        float, _augment("Affine: largest shear.", "degrees", ge=0.0, lt=90.0, only_if=_on("affine"))
    ] = 16.0
    affine_rotate: Annotated[
        float, _augment("Affine: largest rotation.", "degrees", ge=0.0, le=180.0, only_if=_on("affine"))
    ] = 45.0

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels asked for, names or numbers; none for a picture in colour or mono."""
        return tuple(name.strip() for name in (self.channels or "").split(",") if self.channels is not None)

    @property
    def network(self) -> str:
        """What people call the network."""
        return self.backbone
