"""`from mia_tui import Classifier`: three lines from a network and images to probabilities."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from export_support import CLASSES, make_card, save_network, save_pictures
from PIL import Image

from mia_tui import Classifier
from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.errors import CheckpointError, ConfigError, DataError, MiaError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return save_pictures(tmp_path / "cells", 6)


@pytest.fixture
def network(tmp_path: Path, images: Path) -> Classifier:
    weights = save_network(tmp_path / "best.safetensors", make_card(), images)
    return Classifier(weights, precision="fp32", threads=1)


def test_importing_it_imports_no_torch() -> None:
    code = "import sys; from mia_tui import Classifier; assert not {'torch', 'timm'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_paths_arrays_and_a_folder_say_the_same(network: Classifier, images: Path) -> None:
    files = sorted(images.iterdir())
    found = network.predict(files)
    assert network.classes == found.classes == CLASSES
    assert found.probabilities.shape == (6, 3) and found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-6)
    assert found.labels == tuple(CLASSES[number] for number in found.probabilities.argmax(axis=1))
    assert not found.unsure.any() and len(found) == 6 and not found.problems
    arrays = [np.asarray(Image.open(file)) for file in files]
    for other in (arrays, images, [str(file) for file in files], ((file, 0) for file in files)):
        again = network.predict(other, batch_size=2)  # type: ignore[arg-type]
        np.testing.assert_allclose(again.probabilities, found.probabilities, atol=1e-5)
    alone = network.predict(files[1])
    np.testing.assert_allclose(alone.probabilities, found.probabilities[1:2], atol=1e-5)
    assert alone.names == (str(files[1]),)
    same = network.predict(np.stack([arrays[2], arrays[2]]))
    assert len(same) == 2 and same.names == ("image 0", "image 1")


def test_what_cannot_be_read_says_why_and_the_others_are_there(network: Classifier, images: Path) -> None:
    (images / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nxx")
    first = images / "000.png"
    found = network.predict([images / "torn.png", first, (first, 7)])
    assert set(found.problems) == {0, 2} and "torn.png" in found.problems[0]
    assert found.labels[0] is None and found.labels[1] is not None
    assert np.isnan(found.probabilities[0]).all() and found.unsure.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 5, 2), np.uint8), "has the shape (4, 5, 2); an image is (height, width)"),
        (np.zeros(4, np.uint8), "has the shape (4,)"),
        (np.zeros((0, 5), np.uint8), "has the shape"),
        (np.zeros((4, 5), complex), "holds complex128"),
        (np.array([["a"]]), "no values of an image"),
    ],
)
def test_an_array_that_is_no_image_is_refused_in_a_sentence(
    network: Classifier, array: np.ndarray, words: str
) -> None:
    with pytest.raises(DataError) as error:
        network.predict([array])
    assert words in str(error.value) and str(error.value).startswith("Image 0 ")


def test_other_things_than_images_are_refused(network: Classifier) -> None:
    with pytest.raises(DataError, match=r"Image 0 is a int\. Give paths or arrays"):
        network.predict([3])  # type: ignore[list-item]


def test_grey_coloured_and_transparent_arrays_are_as_their_files(network: Classifier, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    folder = tmp_path / "more"
    folder.mkdir()
    for shape in ((30, 40), (30, 40, 3), (30, 40, 4)):
        array = random.integers(0, 256, shape, dtype=np.uint8)
        file = folder / f"{len(shape)}{shape[-1]}.png"
        Image.fromarray(array).save(file)
        both = network.predict([array, file])
        np.testing.assert_allclose(both.probabilities[0], both.probabilities[1], atol=2e-3)


def test_named_channels_of_16_bits_are_as_their_files(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    folder = tmp_path / "deep"
    folder.mkdir()
    for number in range(4):
        values = random.integers(0, 5000, (2, 40, 44)).astype(np.uint16)
        names = {"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}}
        tifffile.imwrite(folder / f"{number}.ome.tif", values, metadata=names)
    limits = ValueLimits(dtype="uint16", low=[0.0, 10.0], high=[4000.0, 5200.0])
    input_map = InputMap(mode="dataset", channels=["GFP", "DAPI"], limits=[limits], bits=16)
    weights = save_network(tmp_path / "best.safetensors", make_card(input_map=input_map), folder)
    network = Classifier(str(weights), precision="fp32", threads=1)
    file = folder / "1.ome.tif"
    array = np.moveaxis(tifffile.imread(file), 0, 2)[:, :, ::-1]
    both = network.predict([array, file])
    np.testing.assert_array_equal(both.probabilities[0], both.probabilities[1])
    with pytest.raises(DataError, match=r"\(height, width, 2\), of the channels GFP and DAPI"):
        network.predict(array[:, :, :1])
    unknown = network.predict(array.astype(np.float32))
    assert "floating point" in unknown.problems[0]


def test_a_network_that_is_not_there_is_an_error_in_a_sentence(tmp_path: Path, images: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file .*missing\.safetensors"):
        Classifier(tmp_path / "missing.safetensors")
    with pytest.raises(CheckpointError):
        Classifier(images / "000.png")
    with pytest.raises(MiaError):
        Classifier("no-such-run", dataset=images)
