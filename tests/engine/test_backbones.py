"""Every network of the catalogue: it builds, counts right, trains a step, saves and loads."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from mia_tui.catalog.backbones import BACKBONES, HALF, IMAGENET, Backbone
from mia_tui.engine.network.backbones import (
    build_model,
    check_input,
    expected_normalisation,
    head_names,
    timm_name,
)
from mia_tui.engine.network.weights import load_weights
from mia_tui.engine.training.losses import cross_entropy
from mia_tui.errors import ConfigError

CLASSES = 3

# The count that Keras prints for the same network without its top (None where Keras lacks it) and ours differ by a
# law without residue, because Keras counts the moving mean and variance of batch normalisation as parameters:
#     published = params + 2 * channels of batch normalisation + extra
# The last column says where the extra comes from or, for the networks that Keras does not have, how the count
# compares with the predecessor's.
_NORMALIZATION = "Keras counts 7 values of its Normalization layer."
_NO_GAMMA = "Keras leaves out the scale of batch normalisation."
_BIASES = "Keras gives convolutions a bias."
_PRE_ACTIVATION = "MIA builds a pre-activation network under this name (2,435 trainable values more)."
_BIASES_AND_PRE = (
    "Keras gives convolutions a bias. MIA builds a pre-activation network under this name, "
    "close to the one called v2 here (7,549 trainable values fewer)."
)
_BN_DATA = "MIA normalises its input by a layer of its own (3 trainable values more)."
_SAME_AS_MIA = "The trainable count is MIA's exactly."

# fmt: off
# backbone: published, channels of batch normalisation, extra, where the difference comes from
PUBLISHED: dict[str, tuple[int | None, int, int, str]] = {
    "densenet121": (7_037_504, 41_824, 0, ""),
    "densenet169": (12_642_880, 79_200, 0, ""),
    "densenet201": (18_321_984, 114_528, 0, ""),
    "efficientnetb0": (4_049_571, 21_008, 7, _NORMALIZATION),
    "efficientnetb1": (6_575_239, 31_024, 7, _NORMALIZATION),
    "efficientnetb2": (7_768_569, 33_784, 7, _NORMALIZATION),
    "efficientnetb3": (10_783_535, 43_648, 7, _NORMALIZATION),
    "efficientnetb4": (17_673_823, 62_600, 7, _NORMALIZATION),
    "efficientnetb5": (28_513_527, 86_368, 7, _NORMALIZATION),
    "efficientnetb6": (40_960_143, 112_216, 7, _NORMALIZATION),
    "efficientnetb7": (64_097_687, 155_360, 7, _NORMALIZATION),
    "inceptionv3": (21_802_784, 17_216, -17_216, _NO_GAMMA),
    "inceptionresnetv2": (54_336_736, 30_272, -30_272, _NO_GAMMA),
    "mobilenet": (3_228_864, 10_944, 0, ""),
    "mobilenetv2": (2_257_984, 17_056, 0, ""),
    "nasnetlarge": (84_916_818, 98_334, 0, ""),
    "nasnetmobile": (4_269_716, 18_369, 0, ""),
    "resnet18": (None, 0, 0, _PRE_ACTIVATION),
    "resnet34": (None, 0, 0, _PRE_ACTIVATION),
    "resnet50": (23_587_712, 26_560, 26_560, _BIASES_AND_PRE),
    "resnet101": (42_658_176, 52_672, 52_672, _BIASES_AND_PRE),
    "resnet152": (58_370_944, 75_712, 75_712, _BIASES_AND_PRE),
    "resnet50v2": (23_564_800, 22_720, 19_008, _BIASES),
    "resnet101v2": (42_626_560, 48_832, 36_416, _BIASES),
    "resnet152v2": (58_331_648, 71_872, 51_776, _BIASES),
    "resnext50": (None, 0, 0, _BN_DATA),
    "resnext101": (None, 0, 0, _BN_DATA),
    "seresnet18": (None, 0, 0, _PRE_ACTIVATION),
    "seresnet34": (None, 0, 0, _PRE_ACTIVATION),
    "seresnet50": (None, 0, 0, _SAME_AS_MIA),
    "seresnet101": (None, 0, 0, _SAME_AS_MIA),
    "seresnet152": (None, 0, 0, _SAME_AS_MIA),
    "seresnext50": (None, 0, 0, _SAME_AS_MIA),
    "seresnext101": (None, 0, 0, _SAME_AS_MIA),
    "senet154": (None, 0, 0, _SAME_AS_MIA),
    "vgg16": (14_714_688, 0, 0, ""),
    "vgg19": (20_024_384, 0, 0, ""),
    "xception": (20_861_480, 27_264, 0, ""),
}
# fmt: on
ROWS = [pytest.param(row, id=row.name) for row in BACKBONES.values()]


def features(model: nn.Module) -> dict[str, torch.Tensor]:
    head = head_names(model)
    return {name: p for name, p in model.named_parameters() if name not in head}


def bn_channels(model: nn.Module) -> int:
    return sum(m.num_features for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))


@pytest.mark.parametrize("row", ROWS)
def test_every_backbone_counts_trains_saves_and_loads_at_its_smallest_size(
    row: Backbone, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = build_model(row.name, num_classes=CLASSES, drop_rate=0.1)
    _check_counts(model, row)
    _train_step(model, row.min_size)

    path = tmp_path / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    state, head = model.state_dict(), head_names(model)
    for value in state.values():
        value.zero_()
    load_weights(model, path, backbone=row.name, in_channels=3)
    for name, value in load_file(path).items():
        assert torch.equal(state[name], torch.zeros_like(value) if name in head else value), name
    path.unlink()


def _check_counts(model: nn.Module, row: Backbone) -> None:
    params = sum(p.numel() for p in features(model).values())
    assert params == row.params
    head = [dict(model.named_parameters())[name] for name in sorted(head_names(model))]
    assert sum(p.numel() for p in head) == CLASSES * (row.features + 1)
    published, channels, extra, difference = PUBLISHED[row.name]
    if published is not None:
        assert bn_channels(model) == channels
        assert published == params + 2 * channels + extra
    if published is None or extra:
        assert difference


def _train_step(model: nn.Module, size: int) -> None:
    model.train()
    before = next(model.parameters()).detach().clone()
    loss = cross_entropy(model(torch.randn(2, 3, size, size)), torch.tensor([0, 2]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    torch.optim.SGD(model.parameters(), lr=1e-3).step()
    assert not torch.equal(before, next(model.parameters()))


def test_the_catalogue_has_all_38_names() -> None:
    assert len(BACKBONES) == 38


@pytest.mark.parametrize(
    "name", ["resnet18", "vgg16", "nasnetmobile", "densenet121", "resnet50v2", "mobilenetv2"]
)
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_numbers_of_channels_and_oblong_images_work(name: str, channels: int) -> None:
    model = build_model(name, num_classes=2, in_channels=channels).eval()
    with torch.no_grad():
        assert model(torch.randn(1, channels, 33, 70)).shape == (1, 2)


@pytest.mark.parametrize(
    "name", ["resnet18", "vgg16", "nasnetmobile", "xception", "resnet50v2", "efficientnetb0"]
)
def test_dropout_works_in_front_of_the_head_and_only_in_training(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=2, drop_rate=0.5)
    pooled: list[torch.Tensor] = []
    head = dict(model.named_modules())[next(iter(head_names(model))).rpartition(".")[0]]
    head.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0].flatten()))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for p in model.parameters():
            p.abs_()  # keep the features above 0, so that a 0 is a dropped one
        model.train()(images)
        model.eval()(images)
    dropped, kept = ((values == 0).float().mean().item() for values in pooled)
    assert dropped > kept + 0.2


def test_vgg_has_no_fully_connected_layers_left() -> None:
    model = build_model("vgg16", num_classes=CLASSES)
    assert [name for name, m in model.named_modules() if isinstance(m, nn.Linear)] == ["head.fc"]
    assert not [name for name in model.state_dict() if name.startswith("pre_logits")]


def test_stochastic_depth_is_built_in_where_the_table_says_so() -> None:
    model = build_model("resnet18", num_classes=2, drop_path_rate=0.3)
    assert any(type(m).__name__ == "DropPath" for m in model.modules())


@pytest.mark.parametrize("name", ["vgg16", "nasnetmobile", "timm:inception_v4"])
def test_stochastic_depth_is_refused_where_there_is_none(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_model(name, num_classes=2, drop_path_rate=0.1)
    assert str(caught.value).startswith(f"{name} has no stochastic depth")


def test_the_same_seed_gives_the_same_weights() -> None:
    def seeded() -> dict[str, torch.Tensor]:
        torch.manual_seed(7)
        return build_model("resnet18", num_classes=2).state_dict()

    one, other = seeded(), seeded()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_any_other_timm_model_can_be_built_with_or_without_a_tag() -> None:
    for name in ("timm:resnet10t", "timm:resnet10t.c3_in1k"):
        model = build_model(name, num_classes=4, in_channels=1)
        assert model(torch.randn(2, 1, 32, 32)).shape == (2, 4)
        assert head_names(model) == {"fc.weight", "fc.bias"}


def test_networks_made_for_one_size_are_built_for_the_size_of_the_run() -> None:
    name = "timm:vit_tiny_patch16_224"
    model = build_model(name, num_classes=2, input_size=(32, 64))
    assert model(torch.randn(1, 3, 32, 64)).shape == (1, 2)
    with pytest.raises(ConfigError, match="does not take images of 65 x 33 pixels"):
        check_input(model, name, in_channels=3, height=33, width=65)


def test_a_size_that_a_network_cannot_be_built_for_is_refused_in_the_same_words() -> None:
    with pytest.raises(ConfigError, match="timm:xcit_nano_12_p8_224 does not take images of 32 x 33 pixels"):
        build_model("timm:xcit_nano_12_p8_224", num_classes=2, input_size=(33, 32))


def test_trying_an_input_leaves_the_network_as_it_was() -> None:
    model = build_model("resnet18", num_classes=2).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    check_input(model, "resnet18", in_channels=3, height=32, width=48)
    assert model.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet19", "Did you mean resnet1"),
        ("timm:resnet19", "timm has no model 'resnet19'. Did you mean timm:resnet1"),
        ("timm:resnet18.nope", "timm has no weights 'nope' of resnet18. It has "),
        ("timm:", "timm has no model ''"),
        ("timm:zzz\x1b", "\\x1b"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_ones(name: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_model(name, num_classes=2)
    assert sentence in str(caught.value)


def test_normalisation_comes_from_the_table_or_from_timm() -> None:
    assert expected_normalisation("resnet50v2") == HALF
    assert expected_normalisation("resnet18") == IMAGENET
    assert expected_normalisation("timm:vit_tiny_patch16_224") == HALF


@pytest.mark.parametrize("row", ROWS)
def test_the_table_agrees_with_timm(row: Backbone) -> None:
    import timm

    assert timm_name(row.name) == row.timm
    if row.tag is None:
        assert not timm.list_pretrained(f"{row.timm}.*")
        return
    config = timm.get_pretrained_cfg(f"{row.timm}.{row.tag}")
    assert config is not None
    assert config.input_size == (3, row.input_size, row.input_size)
    assert (tuple(config.mean), tuple(config.std)) == (row.normalisation.mean, row.normalisation.std)
    assert (config.license or "unstated") == (row.licence or "").lower()
    assert (config.hf_hub_id or config.url) == (
        f"timm/{row.timm}.{row.tag}" if row.source == "hub" else row.source
    )
    assert config.num_classes == 1000
