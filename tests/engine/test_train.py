import math
import os
import threading
import weakref
from pathlib import Path

import pytest
import torch
from disc_support import draw_disc
from PIL import Image
from run_support import wait_for
from training_support import assert_same_weights, at, last_weights, make_run, train

from mia_tui.engine.data import reader
from mia_tui.engine.data.feed import Batch
from mia_tui.engine.data.images import StreamedImages
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.training import checkpoint as checkpoint_module
from mia_tui.engine.training import learner as learner_module
from mia_tui.engine.training import train as train_module
from mia_tui.engine.training.checkpoint import settle_best
from mia_tui.engine.training.steps.step_graphs import StepResult
from mia_tui.errors import CheckpointError, DataError, DecodeError, RunError
from mia_tui.runs.evaluation.confusion import load_confusion
from mia_tui.runs.record.events import CheckpointSaved, EpochEnded, Phase, RunStarted, Warned
from mia_tui.runs.record.fingerprint import data_fingerprint
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.model_card import read_card
from mia_tui.runs.record.state import read_state

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)


def rows_of(run: RunDir) -> list[int]:
    return [row.epoch for row in read_state(run).epochs]


def test_a_run_leaves_weights_figures_and_one_row_an_epoch(unbroken: RunDir) -> None:
    run = unbroken
    assert read_state(run).outcome == "finished"
    assert rows_of(run) == [1, 2, 3]
    assert run.best_weights.exists() and run.model_json.exists()
    assert run.confusion("last").exists() and run.confusion("best").exists()
    assert not run.stop.exists()


def test_a_run_stopped_in_mid_epoch_and_resumed_has_the_weights_of_an_unbroken_one(
    discs: Path, unbroken: RunDir
) -> None:
    broken = make_run(discs)
    result, _ = train(broken, stop_after=(2, 2))
    assert result.outcome == "stopped"
    result, events = train(broken)
    assert result.outcome == "finished"
    started = next(event for event in events if isinstance(event, RunStarted))
    assert (started.resumed_at.epoch, started.resumed_at.step, started.attempt) == (2, 2, 2)
    assert_same_weights(broken, unbroken)
    assert rows_of(broken) == [1, 2, 3]
    assert [r.train for r in read_state(broken).epochs] == [r.train for r in read_state(unbroken).epochs]


def test_a_run_stopped_during_validation_continues_with_it(discs: Path, unbroken: RunDir) -> None:
    broken = make_run(discs)
    steps = next(event for event in EventReader(unbroken.events).read_new() if isinstance(event, RunStarted))
    result, _ = train(broken, stop_after=(2, steps.steps_per_epoch))
    assert result.outcome == "stopped"
    assert rows_of(broken) == [1]
    train(broken)
    assert_same_weights(broken, unbroken)
    assert rows_of(broken) == [1, 2, 3]


@pytest.mark.parametrize("cache", ["none", "device"])
def test_every_cache_gives_the_same_weights(discs: Path, cache: str) -> None:
    (discs / "red" / "cell-3.png").write_bytes(b"")  # a broken image must not make a difference either
    in_memory, other = make_run(discs, cache="ram"), make_run(discs, cache=cache)
    train(in_memory)
    train(other)
    assert_same_weights(other, in_memory)


def test_a_run_of_decoded_images_is_the_same_also_if_it_is_resumed_within_an_epoch(
    discs: Path, unbroken: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in discs.rglob("*.png"):  # of younger files it is not certain that they stay as they are
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
    first, second = make_run(discs), make_run(discs, cache="disk")
    train(first)

    def refuse(path: Path, *given: object, **more: object) -> None:
        raise DecodeError(f"{path.name} must not be decoded.")

    monkeypatch.setattr(reader, "decode_input", refuse)
    train(second, stop_after=(2, 1))
    train(second)
    assert_same_weights(second, unbroken)
    assert_same_weights(first, unbroken)
    assert not any(row.left_out for row in read_state(second).epochs)


def test_another_seed_gives_other_weights_with_the_same_split(discs: Path) -> None:
    one, two = make_run(discs, epochs=1), make_run(discs, epochs=1, seed=1)
    assert one.samples() == two.samples()
    train(one)
    train(two)
    second = last_weights(two)
    assert any(not torch.equal(value, second[name]) for name, value in last_weights(one).items())


def test_shuffled_labels_give_chance_level(discs: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    for index in range(32):
        draw_disc(noise / "ab"[index % 2], f"{index}.png", size_px=40, red=index % 4 < 2, seed=index)
    run = make_run(noise, epochs=2, val_fraction=0.5)
    train(run)
    assert max(row.val["balanced_accuracy"] for row in read_state(run).epochs if row.val) < 0.85


def test_a_finished_run_is_not_resumed(discs: Path) -> None:
    run = make_run(discs, epochs=1)
    train(run)
    with pytest.raises(RunError, match="is finished"):
        train(run)


def test_without_validation_the_training_part_is_watched(discs: Path) -> None:
    run = make_run(discs, epochs=2, val_fraction=0.0)
    train(run)
    state = read_state(run)
    assert [row.val for row in state.epochs] == [None, None]
    assert state.best is not None


def test_early_stop_ends_a_run_that_does_not_get_better(discs: Path) -> None:
    run = make_run(discs, epochs=30, early_stop=2, lr=1e-8, min_lr=0.0, schedule="constant", ema_decay=0.0)
    result, _ = train(run)
    assert result.outcome == "finished"
    state = read_state(run)
    assert state.best is not None
    assert len(state.epochs) == state.best.epoch + 2 < 30


def test_a_broken_image_is_named_and_left_out(discs: Path) -> None:
    (discs / "blue" / "cell-1.png").write_bytes((discs / "blue" / "cell-1.png").read_bytes()[:200])
    run = make_run(discs, epochs=1)
    result, events = train(run)
    assert result.outcome == "finished"
    warnings = [event.message for event in events if isinstance(event, Warned)]
    assert len(warnings) == 1 and "blue/cell-1.png" in warnings[0] and "1 image is left out" in warnings[0]


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_a_class_without_a_readable_image_ends_the_run(discs: Path, cache: str) -> None:
    for path in (discs / "blue").iterdir():
        path.write_bytes(b"not an image")
    result, _ = train(make_run(discs, cache=cache))
    assert result.outcome == "failed"
    assert isinstance(result.error, DataError) and "blue" in str(result.error)


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(discs: Path) -> None:
    run = make_run(discs, lr=1e6, optimizer="sgd", schedule="constant", weight_decay=0.0)
    result, _ = train(run)
    assert result.outcome == "failed"
    assert "The loss became" in str(result.error) and "--lr" in str(result.error)
    assert "Traceback" in run.worker_log.read_text()


def test_a_metric_of_zero_keeps_its_row(discs: Path) -> None:
    run = make_run(discs, lr=1e-12, min_lr=0.0, schedule="constant", metric="mcc", epochs=2, ema_decay=0.0)
    _, events = train(run)
    ended = [event for event in events if isinstance(event, EpochEnded)]
    assert len(ended) == 2
    assert all(event.val and not math.isnan(event.val["mcc"]) for event in ended)


class OutOfMemory:
    """A network that runs out of memory above a number of images."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        build = learner_module.build_model

        def limited(*args: object, **options: object) -> torch.nn.Module:
            model = build(*args, **options)
            model.register_forward_pre_hook(self.refuse)
            return model

        self.most = most
        self.sizes: list[int] = []
        monkeypatch.setattr(learner_module, "build_model", limited)

    def refuse(self, model: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) > self.most:
            raise torch.OutOfMemoryError("out of memory, on purpose")
        self.sizes.append(len(inputs[0]))


def test_when_memory_runs_out_the_micro_batch_halves_and_the_run_continues(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = OutOfMemory(monkeypatch, most=3)
    run = make_run(discs, epochs=1)
    result, events = train(run)
    assert result.outcome == "finished"
    messages = [event.message for event in events if isinstance(event, Warned)]
    assert any("4 images at a time" in message for message in messages)
    assert any("2 images at a time" in message for message in messages)
    assert max(limit.sizes) <= 3
    assert torch.load(run.last_checkpoint, weights_only=True)["learner"]["micro_batch"] == 2


def test_when_two_images_are_too_many_the_run_ends_with_a_sentence(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    OutOfMemory(monkeypatch, most=1)
    result, _ = train(make_run(discs))
    assert result.outcome == "failed"
    assert "Memory ran out with 2 images of 32 × 32 pixels" in str(result.error)


def test_added_up_gradients_are_those_of_the_whole_batch() -> None:
    from mia_tui.config.train import TrainConfig
    from mia_tui.engine.training.learner import Learner

    batch = Batch(torch.rand(8, 3, 32, 32), torch.arange(8) % 3, torch.arange(8))
    grads = []
    for micro_batch in (8, 3):
        config = TrainConfig(
            backbone="vgg16", batch_size=8, loss="focal", label_smoothing=0.1
        )  # no batch norm
        learner = Learner(
            config,
            input_of(config),
            num_classes=3,
            class_weights=torch.tensor([1.0, 2.0, 0.5]),
            device=torch.device("cpu"),
            arithmetic="fp32",
            steps_per_epoch=1,
            warn=lambda message, hint: None,
        )
        learner.micro_batch = micro_batch
        assert learner._gradients(batch) is not None
        grads.append([parameter.grad for parameter in learner.model.parameters()])
    for whole, added in zip(*grads, strict=True):
        torch.testing.assert_close(whole, added, rtol=1e-3, atol=1e-6)


def test_a_damaged_checkpoint_is_a_sentence(discs: Path) -> None:
    run = make_run(discs)
    train(run, stop_after=(1, 2))
    run.last_checkpoint.write_bytes(run.last_checkpoint.read_bytes()[:1000])
    result, _ = train(run)
    assert isinstance(result.error, CheckpointError) and "is damaged" in str(result.error)


def test_training_starts_from_the_weights_and_scaling_of_an_earlier_run(discs: Path) -> None:
    first = make_run(discs, epochs=1, scaling="zero_one")
    train(first)
    second = make_run(discs, epochs=1, weights=str(first.best_weights))
    result, _ = train(second)
    assert result.outcome == "finished"
    assert read_card(second.best_weights).mean == [0.0, 0.0, 0.0]


def test_a_pure_red_image_reaches_the_network_as_red(tmp_path: Path) -> None:
    from mia_tui.config.train import TrainConfig
    from mia_tui.engine.data.feed import Feed
    from mia_tui.runs.record.job import Sample

    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "red.png")
    config = TrainConfig(width=32, height=32, scaling="zero_one")
    feed = Feed(
        [Sample(path="red.png", class_index=0, split="val")],
        tmp_path,
        config,
        input_of(config),
        torch.device("cpu"),
        scaling=((0.0,) * 3, (1.0,) * 3),
    )
    batch = next(feed.plain_batches(feed.rows("val")))
    assert batch.images[0, :, 5, 5].tolist() == [1.0, 0.0, 0.0]


def test_a_batch_size_of_one_trains_where_batch_norm_sees_more_than_one_value(discs: Path) -> None:
    run = make_run(discs, epochs=1, batch_size=1, width=64, height=64)
    result, _ = train(run)
    assert result.outcome == "finished"
    assert torch.load(run.last_checkpoint, weights_only=True)["learner"]["steps_done"] == 29
    result, _ = train(make_run(discs, epochs=1, batch_size=1))
    assert result.outcome == "failed" and "--batch-size 2" in str(result.error)


def break_files(run: RunDir, part: str, *, keep: int = 0) -> list[Path]:
    """Make the images of a part unreadable, but for the first few."""
    home = Path(run.job().dataset)
    paths = [home / sample.path for sample in run.samples() if sample.split == part][keep:]
    for path in paths:
        path.rename(path.with_suffix(".kept"))
        path.write_bytes(b"not an image")
    return paths


def mend_files(paths: list[Path]) -> None:
    for path in paths:
        path.with_suffix(".kept").replace(path)


def test_images_found_unreadable_before_a_stop_are_named_once_and_tried_again_in_the_next_epoch(
    discs: Path,
) -> None:
    run = make_run(discs, epochs=2, cache="none")
    broken = break_files(run, "train", keep=15)
    result, events = train(run, stop_after=(1, 3))
    assert result.outcome == "stopped"
    assert sum(isinstance(event, Warned) for event in events) == 1
    left_out = torch.load(run.last_checkpoint, weights_only=True)["skipped"]
    assert 0 < len(left_out) <= len(broken)
    mend_files(broken)
    result, events = train(run)
    assert result.outcome == "finished"
    said = [event.message for event in events if isinstance(event, Warned)]
    assert len(said) == 1 and "can be read again, from epoch 2 on" in said[0]
    epochs = [event.left_out for event in events if isinstance(event, EpochEnded)]
    assert epochs[0] is not None and epochs[0].train == len(left_out) and epochs[1] is None
    assert torch.load(run.last_checkpoint, weights_only=True)["skipped"] == {}


def test_a_stop_before_any_image_could_be_read_is_a_stop_and_no_loss_of_nan(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(discs, epochs=1, cache="none")
    broken: list[Path] = []
    monkeypatch.setattr(StreamedImages, "prefetch", lambda *_: None)  # nothing is read ahead

    def break_and_stop() -> None:
        broken.extend(break_files(run, "train"))
        run.stop.touch()

    result, _ = train(run, on_event=at(Phase, break_and_stop, name="training"))
    assert result.outcome == "stopped"
    assert torch.load(run.last_checkpoint, weights_only=True)["progress"]["step"] <= 1
    mend_files(broken)


def test_a_training_part_of_which_no_image_can_be_read_ends_the_run_at_once(discs: Path) -> None:
    run = make_run(discs)
    break_files(run, "train")
    result, _ = train(run)
    assert result.outcome == "failed" and isinstance(result.error, DataError)
    assert str(result.error).startswith("No image of the training part can be used. The first fault: cell-")


def test_images_of_the_test_part_are_not_used(discs: Path) -> None:
    run = make_run(discs, epochs=1, test_fraction=0.2)
    break_files(run, "test")
    result, events = train(run)
    assert result.outcome == "finished"
    assert not [event for event in events if isinstance(event, Warned)]
    kept = data_fingerprint(run)
    assert kept is not None and kept.files == sum(sample.split != "test" for sample in run.samples())


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_a_validation_part_that_cannot_be_read_ends_the_run(discs: Path, cache: str) -> None:
    run = make_run(discs, cache=cache)
    break_files(run, "val")
    result, events = train(run)
    assert isinstance(result.error, DataError) and "validation part" in str(result.error)
    assert [event for event in events if isinstance(event, Warned)]


def test_the_end_of_a_run_is_saved_once(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "SAVE_EVERY_S", 0.0)
    _, events = train(make_run(discs, epochs=2))
    saved = [event.epoch for event in events if isinstance(event, CheckpointSaved) and not event.is_best]
    assert saved == [1, 2]


def test_a_resumed_run_does_not_keep_the_checkpoint_in_memory(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class State(dict):  # type: ignore[type-arg]
        pass

    run = make_run(discs, epochs=2)
    train(run, stop_after=(1, 2))
    read: list[weakref.ref[State]] = []
    load = checkpoint_module.load_state

    def watched(run: RunDir) -> State:
        state = State(load(run))  # type: ignore[arg-type]
        read.append(weakref.ref(state))
        return state

    monkeypatch.setattr(checkpoint_module, "load_state", watched)
    alive: list[bool] = []
    step = learner_module.Learner.step

    def looking(self: learner_module.Learner, *batch: torch.Tensor) -> StepResult:
        alive.append(read[0]() is not None)
        return step(self, *batch)

    monkeypatch.setattr(learner_module.Learner, "step", looking)
    assert train(run)[0].outcome == "finished"
    assert alive and not any(alive)


def test_no_thread_reads_images_after_a_run(discs: Path) -> None:
    train(make_run(discs, cache="none"), stop_after=(1, 2))
    wait_for(lambda: not any(thread.name.startswith("decode") for thread in threading.enumerate()))


def test_memory_that_runs_out_beside_the_steps_is_a_sentence(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words.")

    monkeypatch.setattr("torch.optim.AdamW.step", full)
    result, _ = train(make_run(discs))
    assert isinstance(result.error, RunError)
    assert str(result.error).startswith("Memory ran out on CPU")


def test_three_images_are_not_halved_because_one_of_them_would_be_alone(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    OutOfMemory(monkeypatch, most=2)
    result, _ = train(make_run(discs, batch_size=3))
    assert "Memory ran out with 3 images of 32 × 32 pixels" in str(result.error)


def test_six_images_are_computed_in_pairs(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = OutOfMemory(monkeypatch, most=2)
    config = make_run(discs, batch_size=6).train_job().config
    learner = learner_module.Learner(
        config,
        input_of(config),
        num_classes=2,
        class_weights=None,
        device=torch.device("cpu"),
        arithmetic="fp32",
        steps_per_epoch=1,
        warn=lambda message, hint: None,
    )
    limit.sizes.clear()  # of the black image that was tried
    learner.step(Batch(torch.rand(6, 3, 32, 32), torch.arange(6) % 2, torch.arange(6)))
    assert limit.sizes == [2, 2, 2]


def test_the_readable_copy_of_the_card_is_made_up_for_after_a_kill(discs: Path) -> None:
    run = make_run(discs, epochs=1)
    train(run)
    text = run.model_json.read_bytes()
    run.model_json.write_bytes(b"{}")
    settle_best(run, best_epoch=1)
    assert run.model_json.read_bytes() == text


def test_the_best_matrix_is_that_of_the_best_weights_after_a_failure(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(discs, epochs=6, metric="loss", early_stop=0, lr=0.003, ema_decay=0.0)
    evaluate, calls = train_module.evaluate, []

    def fails_in_the_end(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 6:
            raise RuntimeError("the driver has gone\nand more lines about it")
        return evaluate(*args, **options)

    monkeypatch.setattr(train_module, "evaluate", fails_in_the_end)
    result, _ = train(run)
    assert "RuntimeError: the driver has gone." in str(result.error) and "more lines" not in str(result.error)
    best = read_state(run).best
    assert (
        best is not None and best.epoch > 1
    )  # told, and never saved: the first save was less than a minute ago
    assert load_confusion(run.confusion("best")).epoch == read_card(run.best_weights).epoch == 1


def test_a_checkpoint_that_does_not_fit_the_network_any_more_is_a_sentence(discs: Path) -> None:
    run = make_run(discs)
    train(run, stop_after=(1, 2))
    state = torch.load(run.last_checkpoint, weights_only=True)
    del state["learner"]["model"]["fc.weight"]
    torch.save(state, run.last_checkpoint)
    result, _ = train(run)
    assert isinstance(result.error, CheckpointError) and "does not fit timm:test_resnet" in str(result.error)
