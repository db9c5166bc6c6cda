import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from mia_tui.dataset.demo import SHARES, render_cell, render_demo
from mia_tui.dataset.interchange.csv_labels import read_labels
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DataError


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return folder, render_demo(folder, count=60, seed=1, size_px=48)


def test_the_demo_is_a_flat_folder_of_images_and_labels_to_import(demo):
    folder, rows = demo
    assert sorted(path.name for path in folder.iterdir()) == ["images", "labels.csv"]
    found = scan(folder)
    assert [key.path for key in found.keys] == [path for path, _ in rows]
    labels = read_labels(folder / "labels.csv", found)
    assert [(key.path, name) for key, name in labels.labels.items()] == rows
    with (folder / "labels.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 60


def test_names_say_nothing_about_the_class(demo):
    _, rows = demo
    assert all(not any(name in path for name in SHARES) for path, _ in rows)
    order = [list(SHARES).index(name) for _, name in rows]
    assert order != sorted(order)


def test_classes_are_uneven_as_in_blood(demo):
    _, rows = demo
    found = Counter(name for _, name in rows)
    assert found.keys() == SHARES.keys()
    assert found["neutrophil"] > 2 * found["monocyte"]
    assert sum(SHARES.values()) == pytest.approx(1)


def test_images_are_colour_pictures_of_the_size_asked_for_and_no_two_are_alike(demo):
    folder, rows = demo
    pictures = set()
    for path, _ in rows:
        with Image.open(folder / path) as image:
            assert (image.size, image.mode) == ((48, 48), "RGB")
            pictures.add(image.tobytes())
    assert len(pictures) == 60


def test_the_seed_decides_all_of_it(demo, tmp_path):
    folder, rows = demo
    assert render_demo(tmp_path / "same", count=60, seed=1, size_px=48) == rows
    for path, _ in rows:
        assert (tmp_path / "same" / path).read_bytes() == (folder / path).read_bytes()
    one = render_cell("neutrophil", seed=1, number=0, size_px=48).tobytes()
    assert render_cell("neutrophil", seed=2, number=0, size_px=48).tobytes() != one


def middle(class_name, count=12):
    """Mean colours of the middle of some images of a class, shape (count, 3), 0 to 255."""
    crops = [
        np.asarray(render_cell(class_name, seed=5, number=number, size_px=48))[14:34, 14:34]
        for number in range(count)
    ]
    return np.array([crop.mean(axis=(0, 1)) for crop in crops])


def test_colours_are_those_of_the_stain():
    red, _, blue = middle("lymphocyte").mean(axis=0)
    assert blue > red + 20  # a dense violet nucleus, blue plasma
    red, green, blue = middle("erythrocyte").mean(axis=0)
    assert red > blue + 20 and red > green + 20  # salmon, without a nucleus
    assert middle("monocyte").mean() < middle("platelet").mean() - 30


def test_no_class_can_be_told_by_its_mean_colour_alone():
    granulocytes = [middle(name) for name in ("neutrophil", "eosinophil", "monocyte", "lymphocyte")]
    for one in granulocytes:
        for other in granulocytes:
            assert (one.min(axis=0) < other.max(axis=0)).all()


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file cannot be used: it is a file"):
        render_demo(tmp_path / "file" / "demo", count=1)
