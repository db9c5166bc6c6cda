"""Parameters of the backbones as Keras and MIA count them, to compare our networks with.

`published` is the count Keras prints for the same network without its top,
and ours differs from it by a law without residue:

    published = params + 2 * bn_channels + extra

because Keras counts the moving mean and variance of batch normalisation as
parameters. `difference` says where `extra` comes from, or, for the networks
Keras does not have, how the count compares with MIA's.
"""

from typing import NamedTuple


class KerasCount(NamedTuple):
    """What is known of a network elsewhere.

    Attributes:
        published: Keras's count without top; None where Keras lacks the network.
        bn_channels: Channels of all batch normalisations.
        extra: What remains after the law in the module's docstring.
        difference: Where a remaining difference comes from.
    """

    published: int | None
    bn_channels: int
    extra: int
    difference: str


_NORMALIZATION = "Keras counts 7 values of its Normalization layer."
_NO_GAMMA = "Keras leaves out the scale of batch normalisation."
_BIASES = "Keras gives convolutions a bias."
_PRE_ACTIVATION = "MIA builds a pre-activation network under this name (2,435 trainable values more)."
_BIASES_AND_PRE = (
    "Keras gives convolutions a bias. MIA builds a pre-activation network under this name, "
    "close to the one called v2 here (7,549 trainable values fewer)."
)
_BN_DATA = "MIA normalises its input by a layer of its own (3 trainable values more)."
_NOT_IN_MIA = "Neither Keras nor MIA has it; with the head of 1000 classes timm counts 4.65 million."
_SAME_AS_MIA = "The trainable count is MIA's exactly."

COUNTS = {
    "densenet121": KerasCount(7_037_504, 41_824, 0, ""),
    "densenet169": KerasCount(12_642_880, 79_200, 0, ""),
    "densenet201": KerasCount(18_321_984, 114_528, 0, ""),
    "efficientnetb0": KerasCount(4_049_571, 21_008, 7, _NORMALIZATION),
    "efficientnetb1": KerasCount(6_575_239, 31_024, 7, _NORMALIZATION),
    "efficientnetb2": KerasCount(7_768_569, 33_784, 7, _NORMALIZATION),
    "efficientnetb3": KerasCount(10_783_535, 43_648, 7, _NORMALIZATION),
    "efficientnetb4": KerasCount(17_673_823, 62_600, 7, _NORMALIZATION),
    "efficientnetb5": KerasCount(28_513_527, 86_368, 7, _NORMALIZATION),
    "efficientnetb6": KerasCount(40_960_143, 112_216, 7, _NORMALIZATION),
    "efficientnetb7": KerasCount(64_097_687, 155_360, 7, _NORMALIZATION),
    "efficientnetlite0": KerasCount(None, 0, 0, _NOT_IN_MIA),
    "inceptionv3": KerasCount(21_802_784, 17_216, -17_216, _NO_GAMMA),
    "inceptionresnetv2": KerasCount(54_336_736, 30_272, -30_272, _NO_GAMMA),
    "mobilenet": KerasCount(3_228_864, 10_944, 0, ""),
    "mobilenetv2": KerasCount(2_257_984, 17_056, 0, ""),
    "nasnetlarge": KerasCount(84_916_818, 98_334, 0, ""),
    "nasnetmobile": KerasCount(4_269_716, 18_369, 0, ""),
    "resnet18": KerasCount(None, 0, 0, _PRE_ACTIVATION),
    "resnet34": KerasCount(None, 0, 0, _PRE_ACTIVATION),
    "resnet50": KerasCount(23_587_712, 26_560, 26_560, _BIASES_AND_PRE),
    "resnet101": KerasCount(42_658_176, 52_672, 52_672, _BIASES_AND_PRE),
    "resnet152": KerasCount(58_370_944, 75_712, 75_712, _BIASES_AND_PRE),
    "resnet50v2": KerasCount(23_564_800, 22_720, 19_008, _BIASES),
    "resnet101v2": KerasCount(42_626_560, 48_832, 36_416, _BIASES),
    "resnet152v2": KerasCount(58_331_648, 71_872, 51_776, _BIASES),
    "resnext50": KerasCount(None, 0, 0, _BN_DATA),
    "resnext101": KerasCount(None, 0, 0, _BN_DATA),
    "seresnet18": KerasCount(None, 0, 0, _PRE_ACTIVATION),
    "seresnet34": KerasCount(None, 0, 0, _PRE_ACTIVATION),
    "seresnet50": KerasCount(None, 0, 0, _SAME_AS_MIA),
    "seresnet101": KerasCount(None, 0, 0, _SAME_AS_MIA),
    "seresnet152": KerasCount(None, 0, 0, _SAME_AS_MIA),
    "seresnext50": KerasCount(None, 0, 0, _SAME_AS_MIA),
    "seresnext101": KerasCount(None, 0, 0, _SAME_AS_MIA),
    "senet154": KerasCount(None, 0, 0, _SAME_AS_MIA),
    "vgg16": KerasCount(14_714_688, 0, 0, ""),
    "vgg19": KerasCount(20_024_384, 0, 0, ""),
    "xception": KerasCount(20_861_480, 27_264, 0, ""),
}
