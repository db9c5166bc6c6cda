"""The backbones, as data: the 38 of the manual, and efficientnetlite0, whose weights come with the program.

Every network is its features, global average pooling and one linear head;
none keeps fully connected layers. `params` counts the features only.

The tag of the ImageNet weights is always named: timm's own default is
CC-BY-NC for resnext101 and trained on more than ImageNet for efficientnet.
"""

import difflib
from dataclasses import dataclass

from mia_tui.errors import ConfigError
from mia_tui.text import did_you_mean

TIMM_PREFIX = "timm:"
HUB = "hub"
SHIPPED = "shipped"
"""The weights are in a package that is installed with the program: nothing is downloaded."""

_RELEASES = "https://github.com/rwightman/pytorch-image-models/releases/download"
_WEIGHTS = f"{_RELEASES}/v0.1-weights/"
_CADENE = f"{_RELEASES}/v0.1-cadene/"


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and standard deviation of each colour, for pixels scaled to 0..1."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True)
class Backbone:
    """One network to choose.

    Attributes:
        name: What the user types.
        timm: The model in timm that it is.
        tag: Which ImageNet weights of timm; None where nobody published any.
        source: `HUB` (timm's model hub), `SHIPPED`, an address, or None without weights.
        licence: Licence of the weights; None without weights.
        top1: ImageNet top-1 accuracy of those weights at `input_size`, percent (timm's results table).
        params: Parameters of the features, without a head.
        gmacs: Billions of multiply-adds for one image of `input_size`.
        input_size: Width and height the weights were trained at, pixels.
        min_size: Smallest width and height that is allowed, pixels.
        features: Width of the pooled features.
        normalisation: What the weights expect.
        drop_path: Whether stochastic depth can be set.
    """

    name: str
    timm: str
    tag: str | None
    source: str | None
    licence: str | None
    top1: float | None
    params: int
    gmacs: float
    input_size: int
    min_size: int
    features: int
    normalisation: Normalisation
    drop_path: bool


def find_backbone(name: str) -> Backbone | None:
    """The catalogue's backbone of that name; None for `timm:NAME`.

    Raises:
        ConfigError: If there is no such name; the nearest ones are suggested.
    """
    if name.startswith(TIMM_PREFIX):
        return None
    if name in BACKBONES:
        return BACKBONES[name]
    near = difflib.get_close_matches(name.lower(), BACKBONES, n=3)
    hint = did_you_mean(near) or "`mia-tui backbones` lists them; timm:NAME reaches any other."
    raise ConfigError(f"There is no backbone {name!r}.", hint)


# fmt: off
# ruff: noqa: E501
BACKBONES: dict[str, Backbone] = {row.name: row for row in (
    # name, timm, tag, source, licence, top1, params, gmacs, input, min, features, normalisation, drop path
    Backbone("densenet121", "densenet121", "ra_in1k", HUB, "Apache-2.0", 75.574, 6_953_856, 2.833, 224, 32, 1024, IMAGENET, False),
    Backbone("densenet169", "densenet169", "tv_in1k", HUB, "Apache-2.0", 75.922, 12_484_480, 3.358, 224, 32, 1664, IMAGENET, False),
    Backbone("densenet201", "densenet201", "tv_in1k", HUB, "Apache-2.0", 77.284, 18_092_928, 4.29, 224, 32, 1920, IMAGENET, False),
    Backbone("efficientnetb0", "tf_efficientnet_b0", "aa_in1k", HUB, "Apache-2.0", 76.882, 4_007_548, 0.3845, 224, 32, 1280, IMAGENET, True),
    Backbone("efficientnetb1", "tf_efficientnet_b1", "aa_in1k", HUB, "Apache-2.0", 78.84, 6_513_184, 0.6855, 240, 32, 1280, IMAGENET, True),
    Backbone("efficientnetb2", "tf_efficientnet_b2", "aa_in1k", HUB, "Apache-2.0", 80.074, 7_700_994, 0.9922, 260, 32, 1408, IMAGENET, True),
    Backbone("efficientnetb3", "tf_efficientnet_b3", "aa_in1k", HUB, "Apache-2.0", 81.648, 10_696_232, 1.826, 300, 32, 1536, IMAGENET, True),
    Backbone("efficientnetb4", "tf_efficientnet_b4", "aa_in1k", HUB, "Apache-2.0", 83.04, 17_548_616, 4.392, 380, 32, 1792, IMAGENET, True),
    Backbone("efficientnetb5", "tf_efficientnet_b5", "aa_in1k", HUB, "Apache-2.0", 83.696, 28_340_784, 10.26, 456, 32, 2048, IMAGENET, True),
    Backbone("efficientnetb6", "tf_efficientnet_b6", "aa_in1k", HUB, "Apache-2.0", 84.124, 40_735_704, 19.07, 528, 32, 2304, IMAGENET, True),
    Backbone("efficientnetb7", "tf_efficientnet_b7", "aa_in1k", HUB, "Apache-2.0", 84.424, 63_786_960, 37.74, 600, 32, 2560, IMAGENET, True),
    Backbone("efficientnetlite0", "tf_efficientnet_lite0", "in1k", SHIPPED, "Apache-2.0", 74.83, 3_371_008, 0.3852, 224, 32, 1280, HALF, True),
    Backbone("inceptionv3", "inception_v3", "tf_in1k", HUB, "Apache-2.0", 77.866, 21_785_568, 5.711, 299, 75, 2048, HALF, False),
    Backbone("inceptionresnetv2", "inception_resnet_v2", "tf_in1k", HUB, "Apache-2.0", 80.434, 54_306_464, 13.15, 299, 75, 1536, HALF, False),
    Backbone("mobilenet", "mobilenetv1_100", "ra4_e3600_r224_in1k", HUB, "Apache-2.0", 75.388, 3_206_976, 0.5677, 224, 32, 1024, HALF, True),
    Backbone("mobilenetv2", "mobilenetv2_100", "ra_in1k", HUB, "Apache-2.0", 72.91, 2_223_872, 0.2995, 224, 32, 1280, IMAGENET, True),
    Backbone("nasnetlarge", "nasnetalarge", "tf_in1k", HUB, "Apache-2.0", 82.638, 84_720_150, 23.78, 331, 32, 4032, HALF, False),
    Backbone("nasnetmobile", "nasnetamobile", "tf_in1k", "http://data.lip6.fr/cadene/pretrainedmodels/nasnetamobile-7e03cead.pth", "unstated", 74.08, 4_232_978, 0.5626, 224, 32, 1056, HALF, False),
    Backbone("resnet18", "resnet18", "a1_in1k", HUB, "Apache-2.0", 71.504, 11_176_512, 1.814, 224, 32, 512, IMAGENET, True),
    Backbone("resnet34", "resnet34", "a1_in1k", HUB, "Apache-2.0", 76.42, 21_284_672, 3.663, 224, 32, 512, IMAGENET, True),
    Backbone("resnet50", "resnet50", "a1_in1k", HUB, "Apache-2.0", 80.382, 23_508_032, 4.087, 224, 32, 2048, IMAGENET, True),
    Backbone("resnet101", "resnet101", "a1h_in1k", HUB, "Apache-2.0", 81.95, 42_500_160, 7.799, 224, 32, 2048, IMAGENET, True),
    Backbone("resnet152", "resnet152", "a1h_in1k", HUB, "Apache-2.0", 82.818, 58_143_808, 11.51, 224, 32, 2048, IMAGENET, True),
    Backbone("resnet50v2", "resnetv2_50", "a1h_in1k", HUB, "Apache-2.0", 80.41, 23_500_352, 4.087, 224, 32, 2048, HALF, True),
    Backbone("resnet101v2", "resnetv2_101", "a1h_in1k", HUB, "Apache-2.0", 82.042, 42_492_480, 7.799, 224, 32, 2048, HALF, True),
    Backbone("resnet152v2", "resnetv2_152", None, None, None, None, 58_136_128, 11.51, 224, 32, 2048, HALF, True),
    Backbone("resnext50", "resnext50_32x4d", "a1h_in1k", HUB, "Apache-2.0", 81.14, 22_979_904, 4.228, 224, 32, 2048, IMAGENET, True),
    Backbone("resnext101", "resnext101_32x4d", "gluon_in1k", HUB, "Apache-2.0", 80.336, 42_128_704, 7.968, 224, 32, 2048, IMAGENET, True),
    Backbone("seresnet18", "legacy_seresnet18", "in1k", _WEIGHTS + "seresnet18-4bb0ce65.pth", "Apache-2.0", 71.742, 11_265_592, 1.814, 224, 32, 512, IMAGENET, False),
    Backbone("seresnet34", "legacy_seresnet34", "in1k", _WEIGHTS + "seresnet34-a4004e63.pth", "Apache-2.0", 74.788, 21_445_868, 3.663, 224, 32, 512, IMAGENET, False),
    Backbone("seresnet50", "legacy_seresnet50", "in1k", _CADENE + "se_resnet50-ce0d4300.pth", "Apache-2.0", 77.65, 26_039_024, 3.858, 224, 32, 2048, IMAGENET, False),
    Backbone("seresnet101", "legacy_seresnet101", "in1k", _CADENE + "se_resnet101-7e38fcc6.pth", "Apache-2.0", 78.37, 47_277_872, 7.573, 224, 32, 2048, IMAGENET, False),
    Backbone("seresnet152", "legacy_seresnet152", "in1k", _CADENE + "se_resnet152-d17c99b7.pth", "Apache-2.0", 78.662, 64_772_848, 11.29, 224, 32, 2048, IMAGENET, False),
    Backbone("seresnext50", "seresnext50_32x4d", "racm_in1k", HUB, "Apache-2.0", 81.268, 25_510_896, 4.231, 224, 32, 2048, IMAGENET, True),
    Backbone("seresnext101", "seresnext101_32x4d", "gluon_in1k", HUB, "Apache-2.0", 80.886, 46_906_416, 7.973, 224, 32, 2048, IMAGENET, True),
    Backbone("senet154", "senet154", "gluon_in1k", HUB, "Apache-2.0", 81.258, 113_039_984, 20.69, 224, 32, 2048, IMAGENET, True),
    Backbone("vgg16", "vgg16", "tv_in1k", HUB, "BSD-3-Clause", 71.594, 14_714_688, 15.35, 224, 32, 512, IMAGENET, False),
    Backbone("vgg19", "vgg19", "tv_in1k", HUB, "BSD-3-Clause", 72.4, 20_024_384, 19.51, 224, 32, 512, IMAGENET, False),
    Backbone("xception", "legacy_xception", "tf_in1k", _CADENE + "xception-43020ad28.pth", "Apache-2.0", 79.058, 20_806_952, 8.355, 299, 32, 2048, HALF, False),
)}

SIZES: dict[str, str] = {"small, quick": "mobilenet", "usual": "resnet18", "large and slow": "resnet50"}
"""Networks for people who need not know their names."""


def size_of(backbone: str) -> str | None:
    """What a network is called among `SIZES`; None if it is none of them."""
    return next((size for size, name in SIZES.items() if name == backbone), None)
