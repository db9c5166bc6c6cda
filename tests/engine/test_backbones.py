"""Every network of the catalogue: it builds, counts right, trains a step, saves and loads."""

from pathlib import Path

import pytest
import torch
from keras_counts import COUNTS
from run_support import run_python
from safetensors.torch import load_file, save_file
from torch import nn

from mia_tui.catalog.backbones import BACKBONES, HALF, HUB, IMAGENET, SHIPPED, Backbone
from mia_tui.engine.network.backbones import (
    build_model,
    check_input,
    expected_normalisation,
    head_names,
    timm_name,
)
from mia_tui.engine.network.layer_stages import MOST_STAGES, learning_shares, stage_numbers
from mia_tui.engine.network.weights import load_weights
from mia_tui.errors import ConfigError

pytestmark = pytest.mark.usefixtures("networks_are_let_go")

CLASSES = 3
LARGE = 40_000_000
"""Networks of more parameters are saved and loaded in half precision: in single, two copies take up to 0.7 GB."""
LARGEST = 100_000_000
"""One of more is built in a process of its own, which holds less than this one: 0.5 GB in single precision."""
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
    if row.params <= LARGEST:
        count_train_save_and_load(row, tmp_path)
        return
    code = """
        from pathlib import Path
        sys.path.insert(0, str(Path(sys.path[0]) / "engine"))
        from test_backbones import BACKBONES, count_train_save_and_load
        count_train_save_and_load(BACKBONES[sys.argv[1]], Path(sys.argv[2]))
    """
    run_python(code, row.name, tmp_path)


def count_train_save_and_load(row: Backbone, folder: Path) -> None:
    torch.manual_seed(0)
    model = build_model(row.name, num_classes=CLASSES, drop_rate=0.1)
    _check_counts(model, row)
    _check_stages(model)
    _train_step(model, row.min_size)
    if row.params > LARGE:
        model.bfloat16()

    path = folder / "weights.safetensors"
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
    keras = COUNTS[row.name]
    if keras.published is not None:
        assert bn_channels(model) == keras.bn_channels
        assert keras.published == params + 2 * keras.bn_channels + keras.extra
    if keras.published is None or keras.extra:
        assert keras.difference


def _check_stages(model: nn.Module) -> None:
    """Each parameter is in one stage, none is before those of earlier layers, and the head is alone in the last."""
    stages = stage_numbers(model)
    in_order = [stages[name] for name, _ in model.named_parameters()]
    assert in_order[0] == 0 and len(in_order) == len(stages)
    assert in_order == sorted(in_order)
    assert {name for name, stage in stages.items() if stage == max(in_order)} == head_names(model)
    assert set(in_order) == set(range(max(in_order) + 1)) and 5 <= max(in_order) <= MOST_STAGES
    shares = learning_shares(model, 0.5)
    assert [shares[name] for name in stages] == [0.5 ** (max(in_order) - stages[name]) for name in stages]


def _train_step(model: nn.Module, size: int) -> None:
    """Each parameter takes its step as soon as its gradient is there: in memory there is one gradient at a time."""
    model.train()
    before = next(model.parameters()).detach().clone()
    trained: set[torch.Tensor] = set()

    def step(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None and parameter.grad.sum().isfinite()
        parameter.data.sub_(parameter.grad, alpha=1e-3)
        parameter.grad = None
        trained.add(parameter)

    hooks = [parameter.register_post_accumulate_grad_hook(step) for parameter in model.parameters()]
    loss = nn.functional.cross_entropy(model(torch.randn(2, 3, size, size)), torch.tensor([0, 2]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    for hook in hooks:
        hook.remove()
    assert trained == set(model.parameters())
    assert not torch.equal(before, next(model.parameters()))


def test_the_catalogue_has_all_38_names_of_the_manual_and_one_whose_weights_are_here() -> None:
    assert len(BACKBONES.keys() - {"efficientnetlite0"}) == 38
    assert len(BACKBONES) == 39


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
        f"timm/{row.timm}.{row.tag}" if row.source in (HUB, SHIPPED) else row.source
    )
    assert config.num_classes == 1000
