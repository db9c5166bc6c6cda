"""What a training can be made of beside its plain steps: each of them resumes exactly, in every cache."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from training_support import assert_same_weights, make_run, train

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.intensity import AS_BEFORE
from mia_tui.engine.data.feed import Batch, Feed
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.data.random import SAMPLING_STREAM
from mia_tui.engine.data.sampling import shown_in_epoch
from mia_tui.engine.inference.evaluate import infer_views, views
from mia_tui.engine.network.averages import EpochAverage
from mia_tui.engine.network.backbones import build_model, head_names
from mia_tui.engine.network.layer_stages import learning_shares, stage_numbers, train_head_only
from mia_tui.engine.network.norms import has_norms, measure_norms
from mia_tui.engine.training import train as train_module
from mia_tui.engine.training.checkpoint import load_model
from mia_tui.engine.training.learner import Learner
from mia_tui.errors import ConfigError
from mia_tui.runs.evaluation.confusion import load_confusion
from mia_tui.runs.evaluation.results import load_results
from mia_tui.runs.evaluation.threshold import choice_of
from mia_tui.runs.list.words import evaluated_in_epoch
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")

CPU = torch.device("cpu")
SMALL = {"epochs": 3, "ema_decay": 0.0, "early_stop": 0, "schedule": "cosine"}
BLOCKS = {
    **SMALL,
    "average_epochs": 2,
    "freeze_epochs": 0.5,
    "layer_decay": 0.7,
    "validate_views": True,
    "sampling": "balanced",
    "start_size": 0.5,
}


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunDir, RunDir]:
    """Images, a run that others start from, and one with all building blocks that nothing broke off."""
    from disc_support import make_discs

    root = make_discs(tmp_path_factory.mktemp("blocks") / "discs")
    threads = torch.get_num_threads()
    first = make_run(root, epochs=1, ema_decay=0.0)
    train(first)
    run = make_run(root, weights=str(first.best_weights), **BLOCKS)
    result, _ = train(run)
    torch.set_num_threads(threads)
    assert result.outcome == "finished", result.error
    return root, first, run


@pytest.mark.parametrize(("place", "cache"), [((1, 1), "ram"), ((3, 2), "none")])
def test_a_run_with_all_building_blocks_is_resumed_exactly(
    blocks: tuple[Path, RunDir, RunDir], place: tuple[int, int], cache: str
) -> None:
    root, first, unbroken = blocks
    broken = make_run(root, weights=str(first.best_weights), cache=cache, **BLOCKS)
    assert train(broken, stop_after=place)[0].outcome == "stopped"
    assert train(broken)[0].outcome == "finished"
    assert_same_weights(broken, unbroken)
    assert [row.val for row in read_state(broken).epochs] == [row.val for row in read_state(unbroken).epochs]
    saved = [load_model(run.best_weights)[0].state_dict() for run in (broken, unbroken)]
    assert all(torch.equal(value, saved[1][name]) for name, value in saved[0].items())


def test_a_run_says_how_its_figures_came_about(blocks: tuple[Path, RunDir, RunDir]) -> None:
    run = blocks[2]
    state = read_state(run)
    assert [(row.views, row.averaged) for row in state.epochs] == [(8, 0), (8, 1), (8, 2)]
    assert evaluated_in_epoch(state, 2) == " (mean of 8 flips and turns of each)"
    assert evaluated_in_epoch(state, 3).endswith(" of each; weights averaged over 2 epochs)")
    assert load_results(run).tta and not load_results(blocks[1]).tta
    assert "--tta" in " ".join(choice_of(load_results(run)).doubts)


def test_a_run_stopped_during_validation_counts_each_epoch_once_in_the_mean(
    blocks: tuple[Path, RunDir, RunDir],
) -> None:
    root, first, unbroken = blocks
    steps = read_state(unbroken).started
    assert steps is not None
    broken = make_run(root, weights=str(first.best_weights), **BLOCKS)
    train(broken, stop_after=(2, steps.steps_per_epoch))
    train(broken)
    assert_same_weights(broken, unbroken)


def small_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )


def learner(steps_per_epoch: int = 4, resumed: bool = True, **settings: object) -> Learner:
    values = {"backbone": "timm:test_resnet", "width": 32, "height": 32, "precision": "fp32", **settings}
    config = TrainConfig(**values)  # type: ignore[arg-type]
    return Learner(
        config,
        input_of(config, AS_BEFORE),
        num_classes=2,
        class_weights=None,
        device=CPU,
        arithmetic="fp32",
        steps_per_epoch=steps_per_epoch,
        warn=lambda message, hint: None,
        resumed=resumed,  # then no file of weights is looked for
    )


def batch(count: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, 3, 32, 32, generator=generator)
    return Batch(images, torch.arange(count) % 2, torch.arange(count))


def test_a_new_head_on_known_features_begins_without_an_opinion() -> None:
    begins = learner(backbone="efficientnetlite0", weights="imagenet", resumed=False)
    loss = begins.step(batch())
    assert (loss.numerator / loss.denominator).item() == pytest.approx(math.log(2))
    assert learner(backbone="efficientnetlite0", resumed=False).model.get_classifier().weight.any()


def test_only_the_head_learns_at_first_and_then_all_of_it() -> None:
    learns = learner(weights="imagenet", freeze_epochs=0.5, schedule="constant")
    head = head_names(learns.model)
    for step in range(4):
        before = {name: value.clone() for name, value in learns.model.state_dict().items()}
        learns.set_step(1, step)
        learns.step(batch())
        changed = {n for n, value in learns.model.state_dict().items() if not torch.equal(value, before[n])}
        if step < 2:
            assert changed == head
        else:
            assert changed >= {*head, "conv1.0.weight", "bn1.running_mean"}


def test_norms_of_a_frozen_epoch_stay_also_where_a_resumed_run_begins_with_its_validation() -> None:
    for values, wanted in (
        ({"freeze_epochs": 1.75}, [False, True]),
        ({"freeze_epochs": 2.0}, [False, False]),
    ):
        ended = learner(refresh_norms=True, **values)  # no step was done
        assert [ended.end_epoch(epoch) for epoch in (1, 2)] == wanted


def test_what_is_frozen_is_computed_as_in_a_prediction_and_dropout_stays_in_front_of_the_head() -> None:
    model = build_model("mobilenetv2", num_classes=2, drop_rate=0.5)
    train_head_only(model)
    assert not any(module.training for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    assert model.training and model.get_classifier().training  # type: ignore[operator]
    first, second = (model(torch.ones(2, 3, 32, 32)) for _ in range(2))
    assert not torch.equal(first, second)


def test_a_network_of_one_size_only_is_not_begun_with_a_smaller_one() -> None:
    with pytest.raises(
        ConfigError, match=r"does not take 40 x 40 pixels, with which --start-size 0\.25 begins"
    ):
        learner(backbone="timm:test_vit", width=160, height=160, start_size=0.25)


def test_the_rates_of_stages_fall_towards_the_first_layers() -> None:
    learns = learner(layer_decay=0.5, lr=0.8, schedule="constant")
    names = {id(parameter): name for name, parameter in learns.model.named_parameters()}
    rates = {names[id(p)]: group["lr"] for group in learns.optimizer.param_groups for p in group["params"]}
    stages = stage_numbers(learns.model)
    assert rates.keys() == stages.keys()
    last = max(stages.values())
    assert rates == {name: pytest.approx(0.8 * 0.5 ** (last - stage)) for name, stage in stages.items()}
    assert min(rates.values()) == pytest.approx(rates["conv1.0.weight"])


@pytest.mark.parametrize("name", ["test_resnet", "resnest14d", "test_vit"])
def test_networks_with_and_without_groups_of_timm_have_stages(name: str) -> None:
    with torch.device("meta"):
        model = build_model(f"timm:{name}", num_classes=3)
    shares = learning_shares(model, 0.5)
    assert shares.keys() == dict(model.named_parameters()).keys()
    assert {name for name, share in shares.items() if share == 1} == head_names(model) & shares.keys()
    assert next(iter(shares.values())) == min(shares.values())


def test_the_mean_is_that_of_the_ends_of_the_last_epochs() -> None:
    model, average = small_net(), EpochAverage(2)
    ends = []
    for epoch in (1, 2, 2, 3, 4):
        with torch.no_grad():
            model[0].weight += epoch
        average.epoch_ended(epoch, model)
        assert (average.model is None) == (epoch == 1)
        ends.append(model[0].weight.detach().clone())
    assert average.model is not None
    wanted = (ends[1] + ends[3] + ends[4]) / 3  # the second call for epoch 2 is the same end once more
    assert torch.allclose(average.model.get_parameter("0.weight"), wanted)


def test_norms_are_measured_on_what_they_are_given_and_nothing_else_changes() -> None:
    model = small_net()
    model[1].running_mean.fill_(99.0)
    images = [torch.randn(16, 3, 8, 8) + 3 for _ in range(4)]
    weights = {name: value.clone() for name, value in model.named_parameters()}
    assert has_norms(model)
    assert measure_norms(model, [*images, torch.full((1, 3, 8, 8), 1e6)], CPU, "fp32", lambda: False)
    given = torch.cat([model[0](each) for each in images]).detach()
    norm = model[1]
    assert torch.allclose(norm.running_mean, given.mean((0, 2, 3)), atol=1e-4)
    assert torch.allclose(norm.running_var, given.var((0, 2, 3)), rtol=0.05)
    assert norm.momentum == 0.1
    assert all(torch.equal(value, weights[name]) for name, value in model.named_parameters())
    assert not measure_norms(model, images, CPU, "fp32", lambda: True)


def test_the_answer_over_views_is_the_mean_of_their_probabilities() -> None:
    model, images = small_net().eval(), torch.randn(3, 3, 8, 8)
    answers = [torch.softmax(model(view), 1) for view in views(images)]
    assert len(answers) == 8
    found = infer_views(model, images, 2, CPU, "fp32")
    assert torch.allclose(found.exp(), torch.stack(answers).mean(0), atol=1e-6)
    oblong = list(views(torch.randn(1, 3, 8, 6)))
    assert len(oblong) == 4 and all(view.shape == (1, 3, 8, 6) for view in oblong)


def counts_shown(sampling: str, sizes: list[int]) -> tuple[list[int], Tensor]:
    classes = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    rows = torch.arange(100, 100 + len(classes))
    shown = shown_in_epoch(rows, classes, sampling, seed=3, epoch=1)  # type: ignore[arg-type]
    assert len(shown.rows) == len(rows)
    return torch.bincount(classes[shown.rows - 100], minlength=len(sizes)).tolist(), shown.turn


def test_an_epoch_keeps_its_length_and_shows_classes_as_often_as_asked() -> None:
    sizes = [90, 0, 10, 4]
    assert counts_shown("all", sizes)[0] == sizes
    assert [abs(count - 104 / 3) < 1 for count in counts_shown("balanced", sizes)[0]] == [
        True,
        False,
        True,
        True,
    ]
    shown, turn = counts_shown("sqrt", sizes)
    total = 90**0.5 + 10**0.5 + 4**0.5
    assert all(abs(count - 104 * size**0.5 / total) < 1 for count, size in zip(shown, sizes, strict=True))
    assert turn.max() >= 1


def test_images_of_a_class_are_shown_equally_often_and_others_once_more_in_another_epoch() -> None:
    rows, classes = torch.arange(40), torch.tensor([0] * 33 + [1] * 7)
    epochs = [shown_in_epoch(rows, classes, "balanced", seed=0, epoch=epoch).rows for epoch in (1, 1, 2)]
    assert torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[0].sort()[0], epochs[2].sort()[0])
    counts = torch.bincount(epochs[0], minlength=40)
    assert counts[33:].unique().tolist() == [2, 3] and counts[:33].max() == 1
    assert SAMPLING_STREAM > 999  # what a seed means never changes


def test_without_validation_each_image_that_was_shown_counts_once(discs: Path) -> None:
    run = make_run(discs, val_fraction=0.0, sampling="balanced", **{**SMALL, "epochs": 1})
    assert train(run)[0].outcome == "finished"
    results = load_results(run)
    assert results.split == "train"
    assert np.array_equal(results.confusion, load_confusion(run.confusion("best")).counts)
    of = np.bincount([sample.class_index for sample in run.samples()])
    shown = results.confusion.sum(axis=1)
    assert shown[of.argmin()] == of.min() and shown[of.argmax()] == of.sum() // 2


def test_an_image_that_is_shown_twice_is_augmented_in_two_ways(blocks: tuple[Path, RunDir, RunDir]) -> None:
    root, _, run = blocks
    config, samples = run.train_job().config, run.samples()
    wanted = input_of(config, AS_BEFORE)
    feed = Feed(samples, root, config, wanted, CPU, scaling=((0.0,) * 3, (1.0,) * 3))
    shown: dict[int, list[Tensor]] = {}
    for given in feed.training_batches(3, start=0):
        assert given.images.shape[2:] == (32, 32)
        for row, image in zip(given.rows.tolist(), given.images, strict=True):
            shown.setdefault(row, []).append(image)
    twice = [images for images in shown.values() if len(images) > 1]
    assert any(not torch.equal(images[0], images[1]) for images in twice)
    assert next(feed.training_batches(1, start=0)).images.shape[2:] == (16, 16)
    feed.close()
