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
        description: What it means, a sentence; when somebody would change it stands in `advice`.
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


def _chance(description: str, advice: str = "", **more: Any) -> Meta:
    return _augment(
        f"How often an image is {description}: 0 is never, 1 is always.", advice, ge=0.0, le=1.0, **more
    )


def _is_split(config: "TrainConfig") -> bool:
    return config.val is None


def _is(name: str, value: str) -> Condition:
    """Whether another setting has a value."""
    return lambda config: bool(getattr(config, name) == value)


def _on(chance: str) -> Condition:
    """Whether the augmentation of that field may happen at all."""
    return lambda config: bool(getattr(config, chance) > 0)


_dropout = partial(_augment, ge=0.0, le=1.0, only_if=_on("dropout"))
_schedule = {
    name: partial(_optimizer, only_if=_is("schedule", name)) for name in ("plateau", "step", "cosine")
}


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a training run is asked to do. Names of files are as the user typed them."""

    kind: ClassVar[str] = "train"
    noun: ClassVar[str] = "training"

    backbone: Annotated[
        str,
        _network("The network that learns; `mia-tui backbones` lists them, timm:NAME is any other of timm."),
    ] = "resnet18"
    weights: Annotated[
        str,
        _network(
            "What the network knows at the start: none, imagenet (it was trained on a million photographs), or a "
            "file or folder of weights, as those of an earlier run.",
            min_length=1,
        ),
    ] = "none"
    drop_rate: Annotated[
        float,
        _network(
            "Share of the last features that are left out at random in each step (dropout).", ge=0.0, lt=1.0
        ),
    ] = 0.0
    drop_path_rate: Annotated[
        float,
        _network(
            "Share of the layers that are skipped at random in a step (stochastic depth); not all networks have it.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.0
    ema_decay: Annotated[
        float,
        _network(
            "How slowly a running mean of the weights (EMA) follows them; the mean is validated and saved; 0 is off.",
            ge=0.0,
            lt=1.0,
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
            "How bright images of more than 8 bits are for the network: dataset (the same values are black and "
            "white in all images, measured on some that are trained on), type (the whole range of the files' "
            "numbers is used), image (each image is stretched by itself, so that bright and dark ones look alike). "
            "Images of 8 bits stay as they are."
        ),
    ] = "dataset"
    geometry: Annotated[
        Geometry,
        _input(
            "How an image is fitted to the input size: squash (as a whole, stretched), letterbox (as a whole, "
            "borders black) or crop (its middle, nothing stretched).",
            only_if=lambda config: config.pixel_size is None,
        ),
    ] = "squash"
    pixel_size: Annotated[
        Annotated[float, Meta(gt=0.0, le=_LARGEST)] | None,
        _input(
            "Size of a pixel of the input: 0.5, 0.5um or 500nm. What is larger than the input is cut off, what is "
            "smaller gets black borders; files that do not say their pixel size cannot be used. Left out, every "
            "image fills the input.",
            MICROMETRES,
        ),
    ] = None
    resize: Annotated[Resize, _input("How images are made smaller or larger, always with anti-aliasing.")] = (
        "cubic"
    )
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
            "What is taken of a stack that is labelled as a whole: the brightest value of each pixel over all "
            "frames (max), their mean, or the frame in the middle."
        ),
    ] = "max"

    loss: Annotated[LossName, _loss("What the network is told about its mistakes.")] = "cross_entropy"
    focal_gamma: Annotated[
        float,
        _loss(
            "How much the focal loss dwells on hard images; 0 is cross entropy.",
            ge=0.0,
            le=10.0,
            only_if=_is("loss", "focal"),
        ),
    ] = 2.0
    label_smoothing: Annotated[
        float,
        _loss(
            "Share of each label that is spread over all classes, so that the network is never told to be quite "
            "sure.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.0
    class_weights: Annotated[
        str,
        _loss(
            "How much a mistake counts in each class: none (the same), inverse (the fewer images, the more), "
            "effective (the same, gentler), or by hand: NAME=WEIGHT,NAME=WEIGHT (others weigh 1).",
            min_length=1,
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
            "Figure of the validation part that decides which epoch is best, and is kept. The default is the loss: "
            "it differs between epochs of the same accuracy, which are frequent with a few hundred images."
        ),
    ] = "loss"

    optimizer: Annotated[OptimizerName, _optimizer("How the weights follow what is learned in a step.")] = (
        "adamw"
    )
    lr: Annotated[
        Annotated[float, Meta(gt=0.0, le=_LARGEST)] | None,  # msgspec takes limits inside a union only
        _optimizer(
            "How far the weights go in a step, at the start; left out, the optimizer's own default.",
            title="learning rate",
        ),
    ] = None
    weight_decay: Annotated[
        Annotated[float, Meta(ge=0.0, le=_LARGEST)] | None,
        _optimizer(
            "How strongly weights are pulled to 0 (biases and norms are spared); left out, the optimizer's own "
            "default."
        ),
    ] = None
    momentum: Annotated[
        float,
        _optimizer(
            "How much of the last step's direction SGD keeps (Nesterov).",
            ge=0.0,
            lt=1.0,
            only_if=_is("optimizer", "sgd"),
        ),
    ] = 0.9
    schedule: Annotated[ScheduleName, _optimizer("How the learning rate changes during the training.")] = (
        "cosine"
    )
    plateau_factor: Annotated[
        float, _schedule["plateau"]("plateau: what the learning rate is multiplied by.", gt=0.0, lt=1.0)
    ] = 0.2
    plateau_patience: Annotated[
        int,
        _schedule["plateau"](
            "plateau: epochs without improvement before the learning rate falls.", "epochs", ge=1, le=_MOST
        ),
    ] = 5
    step_factor: Annotated[
        float, _schedule["step"]("step: what the learning rate is multiplied by.", gt=0.0, lt=1.0)
    ] = 0.5
    step_epochs: Annotated[
        int,
        _schedule["step"]("step: epochs between two changes of the learning rate.", "epochs", ge=1, le=_MOST),
    ] = 25
    min_lr: Annotated[
        float,
        _optimizer(
            "Lowest learning rate; the schedule does not go below it.",
            ge=0.0,
            le=_LARGEST,
            only_if=lambda config: config.schedule != "constant",
            title="lowest learning rate",
        ),
    ] = 1e-6
    warmup_epochs: Annotated[
        float,
        _schedule["cosine"](
            "cosine: epochs in which the learning rate rises from 0.", "epochs", ge=0.0, le=_MOST
        ),
    ] = 1.0

    epochs: Annotated[
        int,
        _run("How often the network goes through all images that it trains on.", "epochs", ge=1, le=_MOST),
    ] = 20
    batch_size: Annotated[
        int, _run("Images that the network learns from at a time.", "images", ge=1, le=_MOST)
    ] = 32
    early_stop: Annotated[
        int,
        _run(
            "The training ends after so many epochs without improvement; 0 is never.",
            "epochs",
            ge=0,
            le=_MOST,
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
            "Where images are kept once they are read: device, ram, none (read again each epoch), auto (by size)."
        ),
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
        float,
        _split(
            "Share of the labelled images for validation: they are not trained on, and show how good the network is.",
            ge=0.0,
            lt=1.0,
            only_if=_is_split,
        ),
    ] = 0.2
    test_fraction: Annotated[
        float,
        _split(
            "Share of the labelled images kept for a test: no training sees them.",
            ge=0.0,
            lt=1.0,
            only_if=_is_split,
        ),
    ] = 0.0
    group_by: Annotated[
        str | None,
        _split(
            "Regular expression; images whose paths agree in its groups (or its whole match) stay in one part. "
            "Empty is none.",
            only_if=_is_split,
        ),
    ] = None
    split_seed: Annotated[
        int, _split("Number that the split is drawn from.", ge=0, le=2**31 - 1, only_if=_is_split)
    ] = 0
    val: Annotated[str | None, _split("A folder of labelled images to validate on instead of a split.")] = (
        None
    )

    flip_horizontal: Annotated[float, _chance("flipped left to right")] = 0.5
    flip_vertical: Annotated[float, _chance("flipped upside down")] = 0.5
    rotate90: Annotated[
        float, _chance("turned by 90, 180 or 270 degrees (by 180 where the input is not square)")
    ] = 0.75
    blur: Annotated[float, _chance("blurred")] = 0.0
    blur_sigma: Annotated[
        float,
        _augment(
            "Blur: the strongest one (sigma of a Gaussian).", "pixels", gt=0.0, le=20.0, only_if=_on("blur")
        ),
    ] = 3.0
    piecewise_affine: Annotated[float, _chance("distorted by moving the points of a grid")] = 0.0
    piecewise_scale_min: Annotated[
        float,
        _augment(
            "Distortion: how far points move at least, as a share of the image.",
            ge=0.0,
            le=0.2,
            only_if=_on("piecewise_affine"),
        ),
    ] = 0.01
    piecewise_scale_max: Annotated[
        float,
        _augment(
            "Distortion: how far points move at most, as a share of the image.",
            ge=0.0,
            le=0.2,
            only_if=_on("piecewise_affine"),
        ),
    ] = 0.05
    dropout: Annotated[float, _chance("partly blacked out, in pixels or in patches (one or the other)")] = 0.0
    dropout_pixels_min: Annotated[float, _dropout("Black pixels: their share at least.")] = 0.01
    dropout_pixels_max: Annotated[float, _dropout("Black pixels: their share at most.")] = 0.1
    dropout_pixels_per_channel: Annotated[
        float, _dropout("Black pixels: how often in each colour separately; 0 is never.")
    ] = 0.5
    dropout_patches_min: Annotated[float, _dropout("Black patches: their share of the image at least.")] = (
        0.03
    )
    dropout_patches_max: Annotated[float, _dropout("Black patches: their share of the image at most.")] = 0.15
    dropout_patch_size_min: Annotated[
        float,
        _augment(
            "Black patches: fewest along a side, as a share of the pixels along it (the fewer, the larger).",
            gt=0.0,
            le=1.0,
            only_if=_on("dropout"),
        ),
    ] = 0.02
    dropout_patch_size_max: Annotated[
        float,
        _augment(
            "Black patches: most along a side, as a share of the pixels along it (the more, the smaller).",
            gt=0.0,
            le=1.0,
            only_if=_on("dropout"),
        ),
    ] = 0.05
    dropout_patches_per_channel: Annotated[
        float, _dropout("Black patches: how often in each colour separately; 0 is never.")
    ] = 0.2
    affine: Annotated[float, _chance("scaled, shifted, sheared and turned, all at once")] = 0.0
    affine_scale_min: Annotated[
        float,
        _augment(
            "Affine: smallest scale, of width and height separately.", gt=0.0, le=1.0, only_if=_on("affine")
        ),
    ] = 0.8
    affine_scale_max: Annotated[
        float,
        _augment(
            "Affine: largest scale, of width and height separately.", ge=1.0, le=10.0, only_if=_on("affine")
        ),
    ] = 1.2
    affine_shift: Annotated[
        float,
        _augment(
            "Affine: farthest shift, as a share of width and height.", ge=0.0, le=1.0, only_if=_on("affine")
        ),
    ] = 0.2
    affine_shear: Annotated[
        float,
        _augment(
            "Affine: strongest shear, which makes a square a rhombus.",
            "degrees",
            ge=0.0,
            lt=90.0,
            only_if=_on("affine"),
        ),
    ] = 16.0
    affine_rotate: Annotated[
        float,
        _augment("Affine: farthest turn, either way.", "degrees", ge=0.0, le=180.0, only_if=_on("affine")),
    ] = 45.0

    @property
    def size(self) -> str:
        """Width and height of the input in one word, such as `224` or `320x240`."""
        return f"{self.width}" if self.width == self.height else f"{self.width}x{self.height}"

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels asked for, names or numbers; none for a picture in colour or mono."""
        return tuple(name.strip() for name in (self.channels or "").split(",") if self.channels is not None)

    @property
    def network(self) -> str:
        """What people call the network."""
        return self.backbone
