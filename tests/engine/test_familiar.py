"""How far an image is from all classes of a network: learned at the best epoch, kept with its weights."""

from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from torch import nn
from training_support import make_run, train

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.dataset.scan.scan import scan
from mia_tui.engine.inference.familiar import FAMILIAR_KEY, FamiliarFeatures, familiar_features, read_familiar
from mia_tui.engine.inference.head_input import EvaluatedFeatures, WithHeadInput
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.network.backbones import build_model, first_head
from mia_tui.runs.record.layout import RunDir

pytestmark = pytest.mark.usefixtures("networks_are_let_go", "threads_stay_as_they_were")


def features_of(classes: torch.Tensor, dims: int = 64, seed: int = 0) -> torch.Tensor:
    """Features around a point for each class, as a network that has learned makes them."""
    torch.manual_seed(0)
    middles = 4 * torch.rand(8, dims)
    torch.manual_seed(seed)
    return (middles[classes] + 0.5 * torch.randn(len(classes), dims)).clamp_min(0)


def learn(count: int, dims: int = 64) -> FamiliarFeatures | None:
    classes = torch.arange(count) % 3
    return familiar_features(features_of(classes, dims), classes, torch.arange(count))


@pytest.mark.parametrize("count", [10, 30, 300, 1200])
def test_images_of_other_classes_are_farther_than_those_of_the_classes_that_are_known(count: int) -> None:
    familiar = learn(count)
    assert familiar is not None
    known = familiar.scores(features_of(torch.arange(200) % 3, seed=1))
    strange = familiar.scores(features_of(3 + torch.arange(200) % 3, seed=2))
    assert known.median() < 1 < strange.median()
    assert (known[:, None] < strange).float().mean() > 0.95


def test_one_in_a_hundred_known_images_lies_beyond_the_limit() -> None:
    familiar = learn(1000)
    assert familiar is not None
    beyond = (familiar.scores(features_of(torch.arange(2000) % 3, seed=1)) > 1).float().mean()
    assert 0.002 < beyond < 0.03


def test_ten_images_with_many_features_are_enough_and_nine_are_not() -> None:
    familiar = learn(10, dims=2048)
    assert familiar is not None
    assert familiar.scores(features_of(torch.arange(50) % 3, 2048, seed=1)).isfinite().all()
    assert learn(9, dims=2048) is None


def test_frames_of_one_file_are_not_compared_with_each_other() -> None:
    classes, files = torch.arange(60) % 3, torch.arange(60).repeat_interleave(5)
    frames, of_frames = features_of(classes).repeat_interleave(5, dim=0), classes.repeat_interleave(5)
    apart = familiar_features(frames, of_frames, files)
    together = familiar_features(frames, of_frames, torch.arange(300))
    assert apart is not None and together is not None
    new = features_of(classes, seed=1)
    assert apart.scores(new).median() < 0.9 * together.scores(new).median()


@pytest.mark.parametrize("value", [0.0, 1.0, float("nan"), float("inf")])
def test_features_that_tell_nothing_are_no_reason_to_fail(value: float) -> None:
    classes = torch.arange(20) % 3
    assert familiar_features(torch.full((20, 16), value), classes, torch.arange(20)) is None


def test_an_image_whose_features_are_no_numbers_gets_a_score() -> None:
    familiar = learn(30)
    assert familiar is not None
    assert familiar.scores(torch.full((2, 64), float("nan"))).isfinite().all()


def saved(path: Path, text: str | None) -> Path:
    metadata = None if text is None else {FAMILIAR_KEY: text}
    path.write_bytes(safetensors.torch.save({"x": torch.zeros(1)}, metadata))
    return path


def test_what_is_familiar_comes_back_from_a_file_as_it_was(tmp_path: Path) -> None:
    familiar = learn(300)
    assert familiar is not None
    found = read_familiar(saved(tmp_path / "w", familiar.encode()))
    assert found is not None
    new = features_of(torch.arange(60) % 6, seed=1)
    torch.testing.assert_close(found.scores(new), familiar.scores(new), rtol=5e-3, atol=1e-3)


def test_a_file_that_says_nothing_or_nonsense_of_it_is_no_fault(tmp_path: Path) -> None:
    familiar = learn(300)
    assert familiar is not None
    text = familiar.encode()
    for other in (
        None,
        "",
        "x",
        "é",
        text[:-5],
        text[: len(text) // 8 * 4],
        text[:400] + "AAAA" + text[404:],
    ):
        read_familiar(saved(tmp_path / "w", other))
    for other in (None, "", "x", "é", text[: len(text) // 8 * 4]):
        assert read_familiar(saved(tmp_path / "w", other)) is None
    assert read_familiar(tmp_path / "none") is None


SMALL = [row for row in BACKBONES.values() if row.params < 30_000_000]
OTHERS = ("timm:mobilenetv3_small_100", "timm:convnext_atto", "timm:vit_tiny_patch16_224", "timm:levit_128s")


@pytest.mark.parametrize("name", [*(row.name for row in SMALL), *OTHERS])
def test_what_the_head_is_given_comes_with_the_logits_and_changes_nothing(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=3).eval()
    side = max(BACKBONES[name].min_size, 64) if name in BACKBONES else 224
    images = torch.rand(2, 3, side, side)
    with torch.inference_mode():
        logits = model(images)
        both = WithHeadInput(model)
        output = both(images)
        assert torch.equal(output[:, :3], logits)
        head = first_head(model)
        if isinstance(head, nn.Linear) and not name.startswith("timm:levit"):  # which has two heads
            torch.testing.assert_close(head(output[:, 3:]), logits, rtol=1e-3, atol=1e-3)
        assert output.shape[1] >= 3 + 100
        both.close()
        assert torch.equal(model(images), logits)
    assert not first_head(model)._forward_pre_hooks


def test_of_very_many_images_some_at_equal_distances_are_kept() -> None:
    seen = EvaluatedFeatures(100, 30)
    for rows in torch.split(torch.arange(100), 7):
        seen.add(rows, rows[:, None].float())
    rows, features = seen.kept()
    assert rows.tolist() == features[:, 0].tolist() == list(range(0, 100, 4))
    assert EvaluatedFeatures(0, 30).kept()[1].shape == (0, 0)


# In a run


@pytest.fixture
def trained(discs: Path) -> RunDir:
    run = make_run(discs, val_fraction=0.5)
    assert train(run)[0].outcome == "finished"
    return run


def test_a_run_learns_it_from_its_validation_part_and_keeps_it_with_its_best_weights(
    discs: Path, trained: RunDir
) -> None:
    network = Predictor(trained.best_weights, threads=1)
    assert network.familiar is not None
    keys = scan(discs).keys
    plain = list(network.predict(discs, keys, batch_size=5))
    turned = list(network.predict(discs, keys, batch_size=5, tta=True))
    for found in (plain, turned):
        scores = [each.unfamiliar for each in found]
        assert all(score is not None and 0 < score < 5 for score in scores)
    assert [each.unfamiliar for each in plain] != [each.unfamiliar for each in turned]
    one = network.predict_one(discs, keys[0])
    assert one.unfamiliar == pytest.approx(plain[0].unfamiliar, abs=1e-3)


def test_an_image_that_cannot_be_read_shifts_no_score(discs: Path, trained: RunDir) -> None:
    network = Predictor(trained.best_weights, threads=1)
    keys = scan(discs).keys
    before = [each.unfamiliar for each in network.predict(discs, keys, batch_size=1)]
    (discs / keys[2].path).write_bytes(b"torn")
    after = [each.unfamiliar for each in network.predict(discs, keys, batch_size=1)]
    assert after == [*before[:2], None, *before[3:]]


def test_a_run_that_was_stopped_and_resumed_learns_the_same(
    discs: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mia_tui.engine.training.train.EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)
    run = make_run(discs, val_fraction=0.5)
    assert train(run, stop_after=(2, 1))[0].outcome == "stopped"
    run.stop.unlink(missing_ok=True)
    assert train(run)[0].outcome == "finished"
    with (
        safetensors.safe_open(run.best_weights, "pt") as one,
        safetensors.safe_open(trained.best_weights, "pt") as other,
    ):
        assert one.metadata()[FAMILIAR_KEY] == other.metadata()[FAMILIAR_KEY]


@pytest.mark.parametrize("fraction", [0.0, 0.1])
def test_without_a_validation_part_or_with_too_small_a_one_predictions_have_no_score(
    discs: Path, fraction: float
) -> None:
    run = make_run(discs, val_fraction=fraction)
    assert train(run)[0].outcome == "finished"
    network = Predictor(run.best_weights, threads=1)
    assert network.familiar is None
    assert {each.unfamiliar for each in network.predict(discs, scan(discs).keys)} == {None}
