"""Exported networks: the file says what the program says, of any image, and tells what it is."""

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import numpy as np
import onnxruntime
import pytest
import tifffile
import timm
import torch
from export_support import CLASSES, make_card, save_network, save_pictures
from PIL import Image
from report_support import make_evaluation, make_training, samples_of

import mia_tui.engine.export.export as export_module
from mia_tui import Classifier
from mia_tui.dataset.images.decode import decode_input
from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.dataset.images.network.geometry import fit
from mia_tui.dataset.scan.scan import scan
from mia_tui.engine.export import writing
from mia_tui.engine.export.checked_images import NotCompared, images_to_compare, read_values, usual_input
from mia_tui.engine.export.comparison import NetworkAgreement, Runner, compare, run_on_images
from mia_tui.engine.export.export import ExportOrder, export_network, known_results
from mia_tui.engine.export.graph import ExportedNetwork, GraphInput
from mia_tui.engine.export.resampling import Resampling
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.training.checkpoint import load_model
from mia_tui.errors import ConfigError, MiaError, RunError
from mia_tui.runs.record.decision import Decision, write_decision
from mia_tui.runs.record.job import JobClass
from mia_tui.runs.record.model_card import ModelCard, weights_digest


@pytest.fixture(autouse=True)
def few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def exported(tmp_path: Path, card: ModelCard, format_name: str, images: Path, **more: object) -> Path:
    weights = save_network(tmp_path / "best.safetensors", card, images)
    out = tmp_path / "out"
    order = ExportOrder(weights=weights, format=format_name, out=out, dataset=images, **more)  # type: ignore[arg-type]
    result = export_network(order)
    assert result.agreement.is_close and result.agreement.images
    return out


def changed(order: ExportOrder, **values: object) -> ExportOrder:
    return replace(order, **values)  # type: ignore[arg-type]


def said_by_program(weights: Path, images: Path) -> np.ndarray:
    """Probabilities of all images of a folder, in float32."""
    network = Predictor(weights, device="cpu", precision="fp32", threads=1)
    return np.stack([one.probabilities for one in network.predict(images, scan(images).keys)])


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("resize", ["nearest", "linear", "cubic", "lanczos"])
def test_pictures_are_resized_to_the_very_pixels_of_the_program(geometry: str, resize: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(25):
        height, width, high, wide = (
            int(number) for number in random.integers((1, 1, 8, 8), (200, 200, 90, 90))
        )
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        resampling = Resampling(width=wide, height=high, geometry=geometry, resize=resize, rounds=True)  # type: ignore[arg-type]
        found = resampling(torch.from_numpy(image).permute(2, 0, 1)[None].float())[0].permute(1, 2, 0)
        expected = fit(image, wide, high, geometry=geometry, resize=resize)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found.numpy(), expected)


def test_an_onnx_file_takes_pixels_of_any_size_and_says_what_the_program_says(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "cells", 9)
    card = make_card(geometry="letterbox")
    out = exported(tmp_path, card, "onnx", images)
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    expected = said_by_program(tmp_path / "best.safetensors", images)
    assert len(set(expected.argmax(axis=1))) > 1
    for row, file in enumerate(sorted(images.iterdir())):
        pixels = np.asarray(Image.open(file))
        (found,) = session.run(None, {"images": np.stack([pixels, pixels[::-1]])})
        np.testing.assert_allclose(found[0], expected[row], atol=1e-4)
    (taken,) = session.get_inputs()
    assert (taken.type, taken.shape) == ("tensor(uint8)", ["images", "height", "width", 3])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(CLASSES)
    assert metadata["run"] == "a-run" and len(metadata["weights_blake2b"]) == 32
    assert "torch" in json.loads(metadata["versions"])
    assert str(tmp_path).encode() not in (out / "model.onnx").read_bytes()


def test_temperature_is_inside_the_threshold_is_told_and_int8_says_what_it_costs(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "cells", 12)
    weights = save_network(tmp_path / "best.safetensors", make_card(), images)
    plain = said_by_program(weights, images)
    decision = Decision(
        temperature=2.5,
        threshold=0.8,
        by_class={"thin": 0.9},
        part="val",
        images=12,
        coverage=0.5,
        accuracy=1.0,
        chosen_at=1.0,
    )
    write_decision(weights, decision)
    out = tmp_path / "out"
    order = ExportOrder(weights=weights, format="onnx", out=out, dataset=images, quantise=True)
    result = export_network(order)
    found = Classifier(out).predict(images)
    powers = plain ** (1 / 2.5)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)
    least = np.array([0.8, 0.9, 0.8])[expected.argmax(axis=1)]
    np.testing.assert_array_equal(found.unsure, expected.max(axis=1) < least)
    text = (out / "README.md").read_text("utf-8")
    assert "Below a probability of 0.8 the answer is unsure; 0.9 for thin." in text
    assert result.int8 is not None and set(result.files) == {"model.onnx", "model.int8.onnx", "README.md"}
    assert "8 bits, and `model.onnx` name the same class" in (out / "README.md").read_text()
    assert result.int8.size_bytes < 0.6 * result.files["model.onnx"]
    assert result.int8.agreement.images == 12 and result.int8.agreement.same_class >= 10
    small = Classifier(out / "model.int8.onnx").predict(images)
    assert (
        small.probabilities.argmax(axis=1) == expected.argmax(axis=1)
    ).sum() == result.int8.agreement.same_class


def test_deep_images_of_named_channels_leave_with_their_intensity_map(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    images = tmp_path / "cells"
    images.mkdir()
    for number in range(6):
        values = random.integers(200, 5000, (3, 50 + number, 64)).astype(np.uint16)
        values[number % 3] //= 4
        tifffile.imwrite(
            images / f"{number}.ome.tif",
            values,
            metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP", "RFP"]}},
        )
    limits = ValueLimits(dtype="uint16", low=[150.0, 300.0], high=[4000.0, 5200.0])
    input_map = InputMap(mode="dataset", channels=["RFP", "DAPI"], limits=[limits], bits=16)
    out = exported(tmp_path, make_card(input_map=input_map, resize="linear"), "onnx", images)
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    expected = said_by_program(tmp_path / "best.safetensors", images)
    for row, file in enumerate(sorted(images.iterdir())):
        pixels = np.moveaxis(tifffile.imread(file), 0, 2)[:, :, [2, 0]]
        (found,) = session.run(None, {"images": pixels[None]})
        np.testing.assert_allclose(found[0], expected[row], atol=1e-4)
    assert "the channels RFP and DAPI" in session.get_modelmeta().custom_metadata_map["input"]
    np.testing.assert_allclose(Classifier(out).predict(images).probabilities, expected, atol=1e-4)


def test_a_physical_scale_asks_for_the_size_of_pixels(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    images = tmp_path / "cells"
    images.mkdir()
    for number in range(4):
        values = random.integers(0, 60000, (40 + 9 * number, 64)).astype(np.uint16)
        size = 0.4 + 0.1 * (number % 2)
        tifffile.imwrite(
            images / f"{number}.ome.tif",
            values,
            metadata={"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size},
        )
    limits = ValueLimits(dtype="uint16", low=[0.0], high=[65535.0])
    card = make_card(
        color=False, pixel_size=0.8, input_map=InputMap(mode="dataset", limits=[limits], bits=16)
    )
    out = exported(tmp_path, card, "torch", images)
    program = torch.export.load(out / "model.pt2").module()
    pixels = tifffile.imread(images / "3.ome.tif")[None, :, :, None]
    found = program(images=torch.from_numpy(pixels), pixel_um=torch.tensor([0.5, 0.5], dtype=torch.float64))
    expected = said_by_program(tmp_path / "best.safetensors", images)
    np.testing.assert_allclose(found.detach().numpy()[0], expected[3], atol=1e-4)


def untraced(weights: Path) -> tuple[ModelCard, Callable[[GraphInput], Runner]]:
    """The module that is exported, without the minutes of a trace."""
    network, card = load_model(weights, plain=True)

    def make(takes: GraphInput) -> Runner:
        module = ExportedNetwork(network, card, takes).eval()
        return lambda images, pixel_um: module(torch.from_numpy(images)).detach().numpy()

    return card, make


def test_grey_files_are_given_to_a_network_for_colours_as_they_are(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "cells", 4, mode="L")
    weights = save_network(tmp_path / "best.safetensors", make_card(), images)
    card, make = untraced(weights)
    chosen = images_to_compare(None, card, images)
    takes = usual_input(read_values(chosen, card, NotCompared()), card)
    assert takes == GraphInput("uint8", 1)
    _, said = run_on_images(make(takes), chosen, card, takes, NotCompared())
    np.testing.assert_allclose(said, said_by_program(weights, images), atol=1e-4)


def test_timm_opens_what_was_exported_and_so_does_mia_tui(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "cells", 6)
    card = make_card("mobilenet", geometry="crop")
    out = exported(tmp_path, card, "timm", images)
    network = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    assert network.num_classes == 3
    config = json.loads((out / "config.json").read_text())
    assert config["label_names"] == list(CLASSES)
    assert config["pretrained_cfg"]["input_size"] == [3, 40, 48]
    pixels = decode_input(images / "000.png", 0, card)
    prepared = (torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255 - 0.45) / 0.25
    expected = said_by_program(tmp_path / "best.safetensors", images)
    found = torch.softmax(network(prepared), dim=1).detach().numpy()
    np.testing.assert_allclose(found[0], expected[0], atol=1e-4)
    again = Classifier(out, precision="fp32").predict(sorted(images.iterdir()))
    np.testing.assert_allclose(again.probabilities, expected, atol=1e-4)


@pytest.mark.parametrize("backbone", ["vgg16", "nasnetmobile"])
def test_networks_that_timm_builds_otherwise_are_refused_for_timm(tmp_path: Path, backbone: str) -> None:
    images = save_pictures(tmp_path / "cells", 2)
    weights = save_network(tmp_path / "best.safetensors", make_card(backbone), images)
    with pytest.raises(ConfigError, match=f"{backbone} .*timm.*--format onnx or torch"):
        export_network(ExportOrder(weights=weights, format="timm", out=tmp_path / "out", dataset=images))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "cells"]


def test_a_file_that_says_something_else_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = save_pictures(tmp_path / "cells", 4)
    weights = save_network(tmp_path / "best.safetensors", make_card(), images)
    monkeypatch.setattr(export_module, "compare", lambda one, other: NetworkAgreement(4, 0.0042, 4))
    order = ExportOrder(weights=weights, format="timm", out=tmp_path / "out", dataset=images)
    with pytest.raises(RunError, match=r"differs by 0\.0042, more than 0\.001\. Nothing was left behind"):
        export_network(order)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "cells"]
    export_network(changed(order, keep=True))
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_a_full_disk_leaves_nothing_and_an_earlier_export_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = save_pictures(tmp_path / "cells", 4)
    out = exported(tmp_path, make_card(), "timm", images)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.shutil, "copyfileobj", full)
    order = ExportOrder(
        weights=tmp_path / "best.safetensors", format="timm", out=out, dataset=images, overwrite=True
    )
    with pytest.raises(RunError, match=r"is full\. Free some space, or name another folder with --out\."):
        export_network(order)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "cells", "out"]


def test_an_earlier_export_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = save_pictures(tmp_path / "cells", 2)
    out = exported(tmp_path, make_card(), "timm", images)
    rename, calls = writing.rename, iter(range(3))

    def second_fails(path: Path, name: str) -> None:
        if next(calls) == 1:
            raise OSError(errno.EIO, "Input/output error")
        rename(path, name)

    monkeypatch.setattr(writing, "rename", second_fails)
    order = ExportOrder(
        weights=tmp_path / "best.safetensors", format="timm", out=out, dataset=images, overwrite=True
    )
    with pytest.raises(RunError):
        export_network(order)
    assert (out / "model.safetensors").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "cells", "out"]


def test_what_a_killed_export_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    left, of_another = (tmp_path / f".{name}.0123456789abcdef.tmp" for name in ("out", "other"))
    running = tmp_path / ".out.fedcba9876543210.tmp"
    for folder in (left, of_another, running):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"some")
    for folder in (left, of_another):
        os.utime(folder, (1e9, 1e9))
    with writing.folder_in_the_making(tmp_path / "out", overwrite=False) as folder:
        writing.write_file(folder / "model.safetensors", b"all")
    assert set(tmp_path.iterdir()) == {tmp_path / "out", of_another, running}


def test_weights_that_cannot_be_copied_are_the_file_that_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone.safetensors"
    with pytest.raises(RunError, match=r"gone\.safetensors cannot be read: No such file"):
        writing.copy_file(gone, tmp_path / "copy.safetensors")
    assert not list(tmp_path.iterdir())


def test_an_export_replaces_only_an_export_and_only_if_asked(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "cells", 2)
    out = exported(tmp_path, make_card(), "timm", images)
    order = ExportOrder(weights=tmp_path / "best.safetensors", format="timm", out=out, dataset=images)
    with pytest.raises(ConfigError, match="--overwrite replaces it"):
        export_network(order)
    export_network(changed(order, overwrite=True))
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds thesis\.tex"):
        export_network(changed(order, overwrite=True))
    with pytest.raises(ConfigError, match="--out is a folder"):
        export_network(changed(order, out=tmp_path / "a.onnx"))


def test_images_of_another_type_are_left_out_and_named(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "cells", 3)
    for number in range(2):
        values = np.random.default_rng(number).integers(0, 9000, (40, 50, 3)).astype(np.uint16)
        tifffile.imwrite(images / f"deep{number}.tif", values, photometric="rgb")
    limits = [
        ValueLimits(dtype="uint16", low=[0.0], high=[9000.0]),
        ValueLimits(dtype="uint8", low=[0.0], high=[255.0]),
    ]
    wanted = make_card(input_map=InputMap(mode="dataset", limits=limits, bits=16))
    weights = save_network(tmp_path / "best.safetensors", wanted, images)
    card, make = untraced(weights)
    chosen, expected = images_to_compare(None, card, images), said_by_program(weights, images)
    for dtype, other, count in (("uint8", "uint16", 3), ("uint16", "uint8", 2)):
        left_out = NotCompared()
        takes = usual_input(read_values(chosen, card, NotCompared()), card, None if count == 3 else dtype)
        assert takes.dtype == dtype
        rows, said = run_on_images(make(takes), chosen, card, takes, left_out)
        np.testing.assert_allclose(said, expected[rows], atol=1e-4)
        images_words = f"{5 - count} images with other values ({other})"
        assert len(said) == count and left_out.sentence == f"Left out of the comparison: {images_words}."
    with pytest.raises(ConfigError, match="None of the images has int32 values"):
        usual_input(read_values(chosen, card, NotCompared()), card, "int32")


def test_the_model_card_tells_the_results_of_the_test_part_once_it_was_evaluated(tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells", images=False)
    run.checkpoints.mkdir(exist_ok=True)
    run.best_weights.write_bytes(b"weights")
    before = known_results(run, run.best_weights, None)
    assert before is not None and before.part == "val"
    samples = samples_of(30, 3, parts=("test",))
    settings = {"weights": str(run.best_weights), "digest": weights_digest(run.best_weights)}
    make_evaluation(tmp_path / "cells", samples, **settings)
    after = known_results(run, run.best_weights, None)
    assert after is not None and (after.part, after.images) == ("test", 30)


def test_hostile_names_stay_names_in_the_model_card(tmp_path: Path) -> None:
    names = ["<script>alert(1)</script>", "{{ 7*7 }}", '"]: - x\n# y', "=cmd|' /C calc'!A0", "a|b`c`*d*"]
    classes = [JobClass(number, name) for number, name in enumerate(names)]
    card = make_card(classes=classes, run="[x](javascript:alert)<img>", epoch=1)
    images = save_pictures(tmp_path / "cells", 4)
    out = exported(tmp_path, card, "timm", images)
    text = (out / "README.md").read_text("utf-8")
    assert "<script" not in text and "<img" not in text and "{{" not in text
    assert r"\[x\](java" in text and "[x](java" not in text  # the brackets are no link
    loaded = huggingface_hub.ModelCard(text)
    assert loaded.data.pipeline_tag == "image-classification"
    assert sum(line[:1].isdigit() for line in text.splitlines()) == len(names)
    assert json.loads((out / "config.json").read_text())["label_names"] == names


def test_without_onnx_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setattr(
        "mia_tui.engine.export.onnx_file.find_spec", lambda name: None if name == "onnxscript" else name
    )
    with pytest.raises(ConfigError, match=r"onnxscript is missing here\. `pip install 'mia-tui\[onnx\]'`"):
        export_network(ExportOrder(weights=tmp_path / "w", format="onnx", out=tmp_path / "out"))


def test_a_difference_of_numbers_that_are_not_finite_is_the_largest() -> None:
    one = np.array([[0.2, 0.8], [np.nan, 0.5]], np.float32)
    found = compare(one, np.array([[0.2, 0.8], [0.5, 0.5]], np.float32))
    assert found.difference == 1.0 and not found.is_close
    assert not compare(one[:0], one[:0]).is_close or compare(one[:0], one[:0]).images == 0


def test_a_network_without_images_to_compare_on_asks_for_some(tmp_path: Path) -> None:
    images = save_pictures(tmp_path / "cells", 2)
    weights = save_network(tmp_path / "best.safetensors", make_card(), images)
    with pytest.raises(MiaError, match="--dataset"):
        export_network(ExportOrder(weights=weights, format="timm", out=tmp_path / "out"))
