"""Training and prediction with images of more than 8 bits, and of any number of channels."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from deep_support import make_brightness_set, write_deep
from PIL import Image
from training_support import assert_same_weights, make_run, train

from mia_tui.dataset.images.decode import decode_fitted, decode_input
from mia_tui.dataset.images.intensity import AS_BEFORE
from mia_tui.dataset.model import ImageKey
from mia_tui.engine.data.images import open_images
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.data.scaling import channel_scaling, to_tensor, to_unit
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.network.backbones import build_model
from mia_tui.engine.network.weights import load_weights
from mia_tui.engine.training import input_map as input_map_module
from mia_tui.engine.training import train as train_module
from mia_tui.errors import RunError
from mia_tui.runs.prediction.create import create_prediction
from mia_tui.runs.record.events import Phase, ProgressMade, Warned
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import CARD_KEY, read_card
from mia_tui.runs.record.state import read_state
from mia_tui.worker import work

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")

PLAIN = {
    "color": False,
    "ema_decay": 0.0,
    "drop_rate": 0.0,
    "rotate90": 0.0,
    "flip_vertical": 0.0,
    "blur": 0.0,
    "piecewise_affine": 0.0,
    "dropout": 0.0,
    "affine": 0.0,
    "resized_crop": 0.0,
    "colour_jitter": 0.0,
    "stain_jitter": 0.0,
    "trivial_augment": 0.0,
    "erasing": 0.0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "schedule": "cosine",
    "warmup_epochs": 0.0,
    "lr": 1e-3,
}


@pytest.fixture(autouse=True)
def every_step_is_reported_and_asks_for_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)


@pytest.fixture(scope="module")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of which one is four times as bright; it is looked at, and nothing else."""
    return make_brightness_set(tmp_path_factory.mktemp("brightness") / "cells")


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """The same with a dozen images a class."""
    return make_brightness_set(tmp_path / "cells", count=12, side=40)


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """Images of five channels in 12 bits; the classes differ in the fourth one."""
    random = np.random.default_rng(0)
    for name, bright in (("a", 0), ("b", 1)):
        for index in range(10):
            pixels = random.integers(100, 900, (5, 36, 36), dtype=np.uint16)
            pixels[3] += 3000 * bright
            write_deep(tmp_path / "five" / name / f"{index}.tif", pixels)
    return tmp_path / "five"


def accuracies(run: RunDir) -> list[float]:
    return [row.val["accuracy"] for row in read_state(run).epochs if row.val]


def said(events: list[Any], kind: type[Any]) -> list[str]:
    return [event.message for event in events if isinstance(event, kind)]


def test_classes_that_differ_in_brightness_alone_are_learned(brightness: Path) -> None:
    run = make_run(brightness, **PLAIN, epochs=5)
    _, events = train(run)
    assert max(accuracies(run)) >= 0.95
    assert read_card(run.best_weights).input_map == run.input_map()
    assert any("16-bit files: 0 to " in message for message in said(events, Phase))


def test_they_are_not_where_each_image_is_stretched_by_itself(brightness: Path) -> None:
    run = make_run(brightness, **PLAIN, epochs=5, intensity="image")
    train(run)
    assert max(accuracies(run)) <= 0.7  # of 40 images


@pytest.fixture
def measured_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The folders that were measured."""
    folders: list[Path] = []
    measure = input_map_module.measure_input

    def note(root: Path, *more: Any, **options: Any) -> Any:
        folders.append(root)
        return measure(root, *more, **options)

    monkeypatch.setattr(input_map_module, "measure_input", note)
    yield folders


def test_a_deep_run_that_is_resumed_has_the_weights_of_an_unbroken_one(
    few: Path, measured_once: list[Path]
) -> None:
    whole, broken = make_run(few), make_run(few)
    train(whole)
    assert train(broken, stop_after=(2, 2))[0].outcome == "stopped"
    kept = broken.input_map()
    assert kept is not None and kept.bits == 16
    assert train(broken)[0].outcome == "finished"
    assert_same_weights(broken, whole)
    assert broken.input_map() == kept == whole.input_map() and len(measured_once) == 2


def test_deep_images_are_the_same_to_the_bit_wherever_they_are_cached(few: Path) -> None:
    runs = [make_run(few, epochs=1, cache=cache) for cache in ("ram", "none", "device")]
    for run in runs:
        train(run)
        assert_same_weights(run, runs[0])


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_a_batch_of_deep_images_is_what_the_decoder_gives(few: Path, cache: str) -> None:
    run = make_run(few, cache=cache)
    train(run, stop_after=(1, 1))
    config, samples, measured = run.train_job().config, run.samples(), run.input_map()
    assert measured is not None
    wanted = input_of(config, measured)
    store = open_images(samples, few, config, wanted, torch.device("cpu"))
    pixels, _ = store.fetch(torch.tensor([3, 0]))
    store.close()
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    for row, unit in zip((3, 0), to_unit(pixels), strict=True):
        expected = decode_input(few / samples[row].path, 0, wanted)
        assert expected.dtype == np.uint16 and expected.max() > 255
        assert np.array_equal(unit.permute(1, 2, 0).numpy(), expected.astype(np.float32) / np.float32(65535))


def test_all_values_of_16_bits_reach_the_network() -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(1, 256, 256, 1)
    unit = to_unit(to_tensor(values).permute(0, 3, 1, 2))
    assert np.array_equal(unit.numpy().ravel(), np.arange(65536, dtype=np.float32) / np.float32(65535))
    assert values[0, 0, 1, 0] == 1  # left as it is


def test_five_channels_are_trained_on_and_predicted(five: Path) -> None:
    run = make_run(five, **PLAIN, epochs=4)
    train(run)
    card = read_card(run.best_weights)
    assert card.channel_count == len(card.mean) == len(card.std) == 5
    assert max(accuracies(run)) == 1.0
    network = Predictor(run.best_weights, device="cpu", precision="fp32", threads=1)
    keys = [ImageKey(f"{name}/{index}.tif", 0) for name in "ab" for index in range(4)]
    found = [prediction.probabilities for prediction in network.predict(five, keys)]
    assert [values.argmax() for values in found if values is not None] == [0] * 4 + [1] * 4
    for key, values in zip(keys, found, strict=True):
        assert np.allclose(network.predict_one(five, key).probabilities, values, atol=1e-5)


def test_channels_are_augmented_in_every_way_but_by_stains_which_is_said(five: Path) -> None:
    result, events = train(make_run(five, color=True, epochs=1))  # with everything on
    assert result.outcome == "finished"
    assert any("--stain-jitter has no effect" in message for message in said(events, Warned))


def test_a_chosen_channel_is_the_only_input(five: Path) -> None:
    run = make_run(five, **PLAIN, epochs=1, channels="3")
    train(run)
    card = read_card(run.best_weights)
    assert card.input_map.channels == ["3"] and card.channel_count == 1
    weights = safetensors.torch.load_file(run.best_weights)
    assert weights["conv1.0.weight" if "conv1.0.weight" in weights else "conv1.weight"].shape[1] == 1


def test_channels_that_no_image_has_end_the_run_with_a_sentence(five: Path) -> None:
    result, _ = train(make_run(five, **PLAIN, channels="0,7"))
    assert result.outcome == "failed" and "7" in str(result.error)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_weights_for_colours_fit_any_channels_and_a_grey_image_gives_the_same_features(
    tmp_path: Path, channels: int
) -> None:
    torch.manual_seed(0)
    colour = build_model("resnet18", num_classes=2).eval()
    safetensors.torch.save_file(colour.state_dict(), tmp_path / "w.safetensors")
    model = build_model("resnet18", num_classes=2, in_channels=channels, is_deep=True).eval()
    load_weights(model, tmp_path / "w.safetensors", backbone="resnet18", in_channels=channels)
    grey = torch.rand(1, 1, 40, 40)
    with torch.no_grad():
        found = model.forward_features(grey.expand(-1, channels, -1, -1))
        wanted = colour.forward_features(grey.expand(-1, 3, -1, -1))
    if channels != 1:  # two and five channels weigh the colours unequally
        assert found.shape == wanted.shape and found.isfinite().all()
    else:
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_channels_of_their_own_have_the_mean_of_the_colours_values(five: Path) -> None:
    run = make_run(five, **PLAIN)
    train(run, stop_after=(1, 1))
    measured = run.input_map()
    assert measured is not None
    mean, std = channel_scaling(run.train_job().config, measured)
    assert mean == pytest.approx((0.449,) * 5) and std == pytest.approx((0.226,) * 5)


def test_a_training_at_a_physical_scale_keeps_it_in_its_model(tmp_path: Path) -> None:
    random, root = np.random.default_rng(0), tmp_path / "cells"
    for name, side in (("a", 8), ("b", 24)):  # µm; half of the files have pixels twice as large
        for index in range(8):
            pixel_um = 1.0 if index % 2 else 2.0
            pixels = random.integers(100, 200, (int(64 / pixel_um),) * 2, dtype=np.uint16)
            pixels[: int(side / pixel_um), : int(side / pixel_um)] += 3000
            write_deep(root / name / f"{index}.ome.tif", pixels, pixel_um=pixel_um)
    run = make_run(root, **PLAIN, epochs=1, pixel_size=2.0)
    assert train(run)[0].outcome == "finished"
    card = read_card(run.best_weights)
    assert card.pixel_size == 2.0
    fine, coarse = (decode_input(root / "b" / f"{index}.ome.tif", 0, card) for index in (1, 2))
    assert [int((pixels > 20_000).sum()) for pixels in (fine, coarse)] == [144, 144]
    write_deep(root / "plain.tif", np.zeros((64, 64), np.uint16))
    network = Predictor(run.best_weights, device="cpu", threads=1)
    (prediction,) = network.predict(root, [ImageKey("plain.tif", 0)])
    assert prediction.probabilities is None and "how large its pixels are" in (prediction.problem or "")


def without_input(weights: Path, path: Path) -> Path:
    """A weights file as version 0.1.0 wrote it."""
    with safetensors.safe_open(weights, framework="numpy") as file:
        card = msgspec.json.decode(file.metadata()[CARD_KEY])
    del card["input_map"], card["pixel_size"]
    safetensors.torch.save_file(
        safetensors.torch.load_file(weights), path, {CARD_KEY: msgspec.json.encode(card).decode()}
    )
    return path


def test_a_network_of_an_earlier_version_sees_images_as_it_was_trained(few: Path, tmp_path: Path) -> None:
    run = make_run(few, epochs=1, intensity="image")
    train(run)
    old = without_input(run.best_weights, tmp_path / "old.safetensors")
    card = read_card(old)
    assert card.input_map == AS_BEFORE and card.pixel_size is None
    path = few / "b" / "cell-1.tif"
    assert np.array_equal(decode_input(path, 0, card), decode_fitted(path, width=32, height=32))
    networks = [
        Predictor(file, device="cpu", precision="fp32", threads=1) for file in (old, run.best_weights)
    ]
    first, second = (network.predict_one(few, ImageKey("b/cell-1.tif", 0)) for network in networks)
    assert np.array_equal(first.probabilities, second.probabilities) and not first.remark


def make_old(run: RunDir) -> None:
    """As version 0.1.0 wrote it."""
    job = msgspec.json.decode((run.path / "job.json").read_bytes())
    del job["numbering"]
    for name in ("intensity", "channels", "pixel_size", "stack"):
        del job["config"][name]
    (run.path / "job.json").write_bytes(msgspec.json.encode(job))
    (run.path / "input.json").unlink(missing_ok=True)


def test_a_run_of_an_earlier_version_is_resumed_with_the_images_it_began_with(few: Path) -> None:
    whole, old = make_run(few, intensity="image"), make_run(few, intensity="image")
    train(whole)
    train(old, stop_after=(2, 2))
    make_old(old)
    assert old.train_job().config.intensity == "image"  # not what is the default now
    assert train(old)[0].outcome == "finished"
    assert_same_weights(old, whole)
    assert old.input_map() is None and read_card(old.best_weights).input_map == AS_BEFORE


def test_a_run_of_an_earlier_version_that_did_not_begin_yet_is_as_before(few: Path) -> None:
    whole, old = make_run(few, intensity="image", epochs=1), make_run(few, epochs=1)
    make_old(old)
    for run in (whole, old):
        train(run)
    assert_same_weights(old, whole)


def test_a_run_that_lost_its_map_says_so(few: Path) -> None:
    run = make_run(few)
    train(run, stop_after=(1, 1))
    (run.path / "input.json").unlink()
    result, _ = train(run)
    assert result.outcome == "failed" and "has lost its input.json" in str(result.error)


@pytest.mark.parametrize("text", ["{", '{"mode": "dataset", "bits": 300}', '{"mode": "bright"}'])
def test_a_damaged_map_is_a_sentence(few: Path, text: str) -> None:
    run = make_run(few)
    train(run, stop_after=(1, 1))
    (run.path / "input.json").write_text(text)
    with pytest.raises(RunError, match=r"input\.json of the run .* cannot be read"):
        run.input_map()
    result, _ = train(run)
    assert result.outcome == "failed" and "input.json" in str(result.error)


@pytest.fixture
def deep_network(few: Path) -> RunDir:
    run = make_run(few, **PLAIN, epochs=1)
    train(run)
    return run


def test_files_of_another_type_are_predicted_with_one_warning_and_a_count(
    few: Path, deep_network: RunDir, tmp_path: Path
) -> None:
    others = tmp_path / "others"
    others.mkdir()
    for index in range(3):
        Image.new("L", (40, 40), 80 * index).save(others / f"{index}.png")
    shutil.copy(few / "a" / "cell-0.tif", others)
    run = create_prediction(
        others, deep_network.best_weights, device="cpu", threads=1, out=str(tmp_path / "p.csv")
    )
    events: list[Any] = []
    assert work(run, foreground=False, observe=events.append).outcome == "finished"
    (warning,) = said(events, Warned)
    assert warning.startswith("3 8-bit images are of another type than the 16-bit files")
    result = read_state(run).result
    assert result is not None and result.remark == warning and not result.problem_count
    one = Predictor(deep_network.best_weights, device="cpu", threads=1)
    assert one.predict_one(others, ImageKey("1.png", 0)).remark == "8-bit file; trained on 16-bit"
    assert not one.predict_one(others, ImageKey("cell-0.tif", 0)).remark


def test_each_attempt_of_a_prediction_warns_of_the_files_of_another_type_that_it_saw(
    few: Path, deep_network: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mia_tui.runs.worker.attempt.PROGRESS_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.engine.jobs.predict._LEAST_ROWS", 1)
    others = tmp_path / "others"
    others.mkdir()
    for index in range(6):
        Image.new("L", (40, 40), 40 * index).save(others / f"{index}.png")
    run = create_prediction(
        others, deep_network.best_weights, device="cpu", threads=1, out=str(tmp_path / "p.csv"), batch_size=1
    )
    counts = []
    for outcome in ("stopped", "finished"):
        events: list[Any] = []

        def stop_once(event: Any, events: list[Any] = events, stops: bool = outcome == "stopped") -> None:
            events.append(event)
            if stops and isinstance(event, ProgressMade) and (event.done, event.total) == (2, 6):
                run.stop.touch()

        assert work(run, foreground=False, observe=stop_once).outcome == outcome
        (warning,) = said(events, Warned)
        counts.append(int(warning.partition(" ")[0]))
    assert sum(counts) in (6, 7) and 2 <= counts[0] <= 4  # one may be predicted and not written yet


def test_files_without_the_channels_of_the_network_are_refused_each_in_a_sentence(
    five: Path, few: Path
) -> None:
    run = make_run(five, **PLAIN, epochs=1)
    train(run)
    network = Predictor(run.best_weights, device="cpu", threads=1)
    (prediction,) = network.predict(few, [ImageKey("a/cell-0.tif", 0)])
    assert prediction.probabilities is None and "channel" in (prediction.problem or "")
    assert network.predict_one(few, ImageKey("a/cell-0.tif", 0)).problem == prediction.problem


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_a_training_names_the_files_of_a_type_that_was_not_measured(
    few: Path, cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(few, cache=cache, epochs=2)
    measure = input_map_module.measure_input

    def then_change(*arguments: Any, **options: Any) -> Any:
        measured = measure(*arguments, **options)
        for sample in run.samples()[:2]:
            write_deep(few / sample.path, np.full((40, 40), -5, np.int16))
        return measured

    monkeypatch.setattr(input_map_module, "measure_input", then_change)
    _, events = train(run)
    (warning,) = said(events, Warned)
    assert warning.startswith("2 signed 16-bit images are of another type than the 16-bit files")
