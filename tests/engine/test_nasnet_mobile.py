"""NASNet-A mobile against the layout of the published weights and of the paper."""

import pytest
import torch
from torch import nn

from mia_tui.engine.network.backbones import build_model
from mia_tui.engine.network.nasnet_mobile import AveragePoolSame, NASNetAMobile

Shapes = dict[str, tuple[int, ...]]
PUBLISHED_PARAMS = 4_269_716
"""Keras's count without top, moving means and variances of batch normalisation among them."""


def published_shapes() -> Shapes:
    """Names and shapes of nasnetamobile-7e03cead.pth, put together from the description of its cells."""
    stem, width = 32, 44
    shapes: Shapes = {"conv0.conv.weight": (stem, 3, 3, 3), **_norm("conv0.bn", stem)}
    shapes |= _stem("cell_stem_0", source=stem, entry=stem, width=width // 4)
    shapes |= _stem("cell_stem_1", source=width // 2, entry=width, width=width // 2)
    shapes |= _halves("cell_stem_1", stem, width // 4)
    channels = (width, 2 * width)  # of the two inputs of a stage's first cell
    for first, scale in ((0, 1), (6, 2), (12, 4)):
        wide = scale * width
        if first:
            reduction = f"reduction_cell_{first // 6 - 1}"
            shapes |= _act_conv(f"{reduction}.conv_prev_1x1", 3 * wide, wide)
            shapes |= _act_conv(f"{reduction}.conv_1x1", 3 * wide, wide)
            shapes |= _branches(
                reduction, wide, ("0_left", 5), ("0_right", 7), ("1_right", 7), ("2_right", 5), ("4_left", 3)
            )
            channels = (3 * wide, 4 * wide)
        shapes |= _halves(f"cell_{first}", channels[0], wide // 2)
        shapes |= _act_conv(f"cell_{first}.conv_1x1", channels[1], wide)
        shapes |= _normal_branches(f"cell_{first}", wide)
        before = channels[1]
        for number in range(first + 1, first + 4):
            shapes |= _act_conv(f"cell_{number}.conv_prev_1x1", before, wide)
            shapes |= _act_conv(f"cell_{number}.conv_1x1", 6 * wide, wide)
            shapes |= _normal_branches(f"cell_{number}", wide)
            before = 6 * wide
    return shapes | {"last_linear.weight": (1000, 24 * width), "last_linear.bias": (1000,)}


def _norm(name: str, channels: int) -> Shapes:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def _act_conv(name: str, before: int, after: int) -> Shapes:
    return {f"{name}.conv.weight": (after, before, 1, 1), **_norm(f"{name}.bn", after)}


def _halves(cell: str, before: int, half: int) -> Shapes:
    paths = {f"{cell}.path_{number}.conv.weight": (half, before, 1, 1) for number in (1, 2)}
    return {**paths, **_norm(f"{cell}.final_path_bn", 2 * half)}


def _separable(name: str, before: int, middle: int, after: int, kernel: int) -> Shapes:
    return {
        f"{name}.separable_1.depthwise_conv2d.weight": (before, 1, kernel, kernel),
        f"{name}.separable_1.pointwise_conv2d.weight": (middle, before, 1, 1),
        **_norm(f"{name}.bn_sep_1", middle),
        f"{name}.separable_2.depthwise_conv2d.weight": (middle, 1, kernel, kernel),
        f"{name}.separable_2.pointwise_conv2d.weight": (after, middle, 1, 1),
        **_norm(f"{name}.bn_sep_2", after),
    }


def _branches(cell: str, width: int, *kernels: tuple[str, int]) -> Shapes:
    shapes: Shapes = {}
    for name, kernel in kernels:
        shapes |= _separable(f"{cell}.comb_iter_{name}", width, width, width, kernel)
    return shapes


def _normal_branches(cell: str, width: int) -> Shapes:
    return _branches(cell, width, ("0_left", 5), ("0_right", 3), ("1_left", 5), ("1_right", 3), ("4_left", 3))


def _stem(cell: str, *, source: int, entry: int, width: int) -> Shapes:
    """`entry` enters the 1x1 convolution; `source` enters the branches on the right."""
    shapes = _act_conv(f"{cell}.conv_1x1", entry, width)
    shapes |= _branches(cell, width, ("0_left", 5), ("4_left", 3))
    for name, kernel in (("0_right", 7), ("1_right", 7), ("2_right", 5)):
        shapes |= _separable(f"{cell}.comb_iter_{name}", source, width, width, kernel)
    return shapes


@pytest.fixture(scope="module")
def model() -> NASNetAMobile:
    torch.manual_seed(0)
    built = build_model("nasnetmobile", num_classes=1000)
    assert isinstance(built, NASNetAMobile)
    return built.eval()


def test_the_published_weights_fit_name_by_name_and_shape_by_shape(model: NASNetAMobile) -> None:
    ours = {k: tuple(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    assert ours == published_shapes()
    features = sum(
        torch.Size(s).numel() for k, s in published_shapes().items() if not k.startswith("last_linear")
    )
    assert features == PUBLISHED_PARAMS


def test_each_cell_takes_the_outputs_of_the_two_before_it_and_after_a_reduction_that_ones_input(
    model: NASNetAMobile,
) -> None:
    seen: dict[str, tuple[tuple[torch.Tensor, ...], torch.Tensor]] = {}
    hooks = [
        module.register_forward_hook(
            lambda _, inputs, output, name=name: seen.update({name: (inputs, output)})
        )
        for name, module in model.named_children()
        if "cell" in name or name == "conv0"
    ]
    with torch.no_grad():
        model(torch.randn(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    inputs = {
        "cell_stem_0": ("conv0",),
        "cell_stem_1": ("conv0", "cell_stem_0"),
        "cell_0": ("cell_stem_1", "cell_stem_0"),
        "cell_1": ("cell_0", "cell_stem_1"),
        "cell_2": ("cell_1", "cell_0"),
        "cell_3": ("cell_2", "cell_1"),
        "reduction_cell_0": ("cell_3", "cell_2"),
        "cell_6": ("reduction_cell_0", "cell_3"),
        "cell_7": ("cell_6", "reduction_cell_0"),
        "cell_8": ("cell_7", "cell_6"),
        "cell_9": ("cell_8", "cell_7"),
        "reduction_cell_1": ("cell_9", "cell_8"),
        "cell_12": ("reduction_cell_1", "cell_9"),
        "cell_13": ("cell_12", "reduction_cell_1"),
        "cell_14": ("cell_13", "cell_12"),
        "cell_15": ("cell_14", "cell_13"),
    }
    assert set(seen) == {"conv0", *inputs}
    for name, sources in inputs.items():
        assert all(given is seen[source][1] for given, source in zip(seen[name][0], sources, strict=True)), (
            name
        )


def test_images_of_224_pixels_become_7_by_7_features(model: NASNetAMobile) -> None:
    with torch.no_grad():
        assert model.forward_features(torch.randn(1, 3, 224, 224)).shape == (1, 1056, 7, 7)
        assert model.forward_head(torch.randn(1, 1056, 7, 7), pre_logits=True).shape == (1, 1056)


@pytest.mark.parametrize("size", [(7, 7), (8, 8), (5, 8), (3, 4)])
@pytest.mark.parametrize("stride", [1, 2])
def test_average_pools_count_the_pixels_of_the_image_only(size: tuple[int, int], stride: int) -> None:
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    pooled = AveragePoolSame((3, 3), (stride, stride))(x)
    starts = [[_start(i, length, stride) for i in range(-(-length // stride))] for length in size]
    for row, top in enumerate(starts[0]):
        for column, left in enumerate(starts[1]):
            window = x[:, :, max(0, top) : top + 3, max(0, left) : left + 3]
            torch.testing.assert_close(pooled[:, :, row, column], window.mean((2, 3)))


def _start(index: int, length: int, stride: int) -> int:
    """Where TensorFlow's SAME padding puts window `index` of 3 pixels."""
    padding = max((-(-length // stride) - 1) * stride + 3 - length, 0)
    return index * stride - padding // 2


@pytest.mark.parametrize("name", ["nasnetmobile", "nasnetlarge"])
def test_no_average_pool_of_a_nasnet_counts_its_padding(name: str) -> None:
    with torch.device("meta"):
        built = build_model(name, num_classes=2)
    pools = [m for m in built.modules() if isinstance(m, AveragePoolSame)]
    assert len(pools) == 4
    assert not [m for m in built.modules() if type(m).__name__ == "AvgPool2dSame"]
    assert not [m for m in built.modules() if isinstance(m, nn.AvgPool2d) and m.count_include_pad]


def test_gradients_pass_through_the_average_pool() -> None:
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(AveragePoolSame((3, 3), (2, 2)), x)
