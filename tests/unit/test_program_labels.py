"""Label files of other programs: what is written is read back as it was, whatever names there are."""

import csv
import io
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from mia_tui.dataset.interchange.formats import ExportContent, ImportSource, LabelFile, format_named
from mia_tui.dataset.interchange.programs.cvat import write_tags
from mia_tui.dataset.interchange.programs.fiftyone import write_classifications
from mia_tui.dataset.interchange.programs.label_studio import write_tasks
from mia_tui.dataset.interchange.programs.mia_results import write_mia_results
from mia_tui.dataset.interchange.programs.rows import ExportRow, ExportRows, RowsWriter
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import Scan, scan
from mia_tui.errors import DataError, LabelFileError

NAMES = ("label-studio", "cvat", "fiftyone", "mia-csv")
WRITERS: dict[str, RowsWriter] = {
    "label-studio": write_tasks,
    "cvat": write_tags,
    "fiftyone": write_classifications,
    "mia-csv": write_mia_results,
}
PLAIN = ("a.png", "b/c.png", "50%.png")
HOSTILE = (
    "=cmd|' !A0.png",
    "<script>alert(1)</script>.png".replace("/", "_"),
    "{{7*7}}.png",
    "two\nlines.png",
    "a%41.png",
    'quote".png',
    "esc\x1b[2J.png",
    "a&amp;b.png",
    "\ufffe.png",
    os.fsdecode(b"caf\xe9.png"),
    "x;y,z.png",
)
CLASSES = ("round", "=1+1", "<b>&'\"", "{{ x }}", "unsure", "100%")


def images(root: Path, names: tuple[str, ...], suffix: str = "PNG") -> Scan:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(root / name, suffix)
    return scan(root)


def written(name: str, root: Path, found: Scan, labels: dict[ImageKey, int], file: Path) -> str:
    write = format_named(name).write
    assert write is not None
    done = write(ExportContent(root, found, labels, CLASSES, file))
    return " ".join((done.summary, *done.warnings))


def read(name: str, root: Path, found: Scan, file: Path, *, probabilities: bool = False) -> LabelFile:
    reader = format_named(name).read
    assert reader is not None
    return reader(ImportSource(root, found, file, probabilities=probabilities))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("names", [PLAIN, HOSTILE], ids=["plain", "hostile"])
def test_labels_come_back_as_they_were_written(tmp_path: Path, name: str, names: tuple[str, ...]) -> None:
    root = tmp_path / "cells"
    found = images(root, names)
    labels = {key: place % len(CLASSES) for place, key in enumerate(found.keys)}
    file = tmp_path / "out"
    assert f"{len(labels)} labels written" in written(name, root, found, labels, file)
    back = read(name, root, found, file)
    assert back.labels == {key: CLASSES[place] for key, place in labels.items()}
    assert not back.unmatched and not back.ambiguous and not back.notes


@pytest.mark.parametrize("name", NAMES)
def test_an_export_replaces_a_file_as_a_whole_and_is_plain_utf8(tmp_path: Path, name: str) -> None:
    root = tmp_path / "cells"
    found = images(root, HOSTILE)
    file = tmp_path / "out"
    file.write_text("before")
    written(name, root, found, dict.fromkeys(found.keys, 2), file)
    file.read_bytes().decode("utf-8")
    assert b"\x1b" not in file.read_bytes() and not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("name", ["label-studio", "cvat", "fiftyone"])
def test_frames_of_stacks_are_left_out_and_that_is_said(tmp_path: Path, name: str) -> None:
    root = tmp_path / "cells"
    found = images(root, ("a.png",))
    page = Image.new("L", (8, 8))
    page.save(root / "stack.tif", save_all=True, append_images=[Image.new("L", (8, 8), 9)])
    found = scan(root)
    assert len(found.keys) == 3
    said = written(name, root, found, dict.fromkeys(found.keys, 0), tmp_path / "out")
    assert "1 label written" in said and "2 frames of stacks are left out" in said
    assert set(read(name, root, found, tmp_path / "out").labels) == {ImageKey("a.png")}


def test_results_of_mia_count_frames_from_1_and_classes_from_0(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    images(root, ("a.png",))
    Image.new("L", (8, 8)).save(root / "s.tif", save_all=True, append_images=[Image.new("L", (8, 8), 9)])
    found = scan(root)
    labels = {ImageKey("a.png"): 0, ImageKey("s.tif", 1): 4}
    file = tmp_path / "out.csv"
    written("mia-csv", root, found, labels, file)
    rows = list(csv.reader(file.open(), delimiter=";"))
    assert rows == [
        ["image name", "frame number", "class", "classname"],
        ["a.png", "1", "0", "round"],
        ["s.tif", "2", "4", "unsure"],
    ]
    named = {ImageKey("a.png"): "round", ImageKey("s.tif", 1): "unsure"}
    assert read("mia-csv", root, found, file).labels == named
    assert read("csv", root, found, file).labels == named  # recognised by its first line


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("file,class\na.png,x\n", "is not from MIA"),
        ("image name;frame number;class;classname\na.png;0;0;x\n", "MIA counts from 1"),
        ("image name;frame number;class;classname\na.png;1;0\n", "has 3 columns, not 4"),
    ],
)
def test_a_file_that_is_no_result_of_mia_is_refused(tmp_path: Path, text: str, why: str) -> None:
    found = images(tmp_path / "cells", ("a.png",))
    file = tmp_path / "x.csv"
    file.write_text(text)
    with pytest.raises(LabelFileError, match=why):
        read("mia-csv", tmp_path / "cells", found, file)


def test_tasks_are_those_that_label_studio_documents(tmp_path: Path) -> None:
    root = tmp_path / "my cells"
    found = images(root, ("a b/c#1.png",))
    written("label-studio", root, found, {found.keys[0]: 0}, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == [
        {
            "data": {"image": "/data/local-files/?d=my%20cells/a%20b/c%231.png", "file": "a b/c#1.png"},
            "annotations": [
                {
                    "result": [
                        {
                            "from_name": "class",
                            "to_name": "image",
                            "type": "choices",
                            "value": {"choices": ["round"]},
                        }
                    ]
                }
            ],
        }
    ]


def task(data: dict[str, object], *choices: str, **more: object) -> dict[str, object]:
    result = [{"from_name": "x", "to_name": "y", "type": "choices", "value": {"choices": list(choices)}}]
    return {"id": 1, "data": data, "annotations": [{"id": 7, "result": result, **more}]}


def test_an_export_of_label_studio_is_read_whatever_it_calls_the_images(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    found = images(root, ("a.png", "b b.png", "sub/c.png", "d.png", "e.png"))
    tasks = [
        task({"image": "/data/upload/3/1a2b3c4d-a.png"}, "x", completed_by=1),
        task({"image": "/data/local-files/?d=cells/b%20b.png"}, "y"),
        task({"img": "s3://bucket/sub/c.png"}, "x"),
        task({"image": "d.png"}, "y", was_cancelled=True),
        {"data": {"image": "e.png"}},
        task({"image": "elsewhere.png"}, "x"),
    ]
    file = tmp_path / "project.json"
    file.write_text(json.dumps(tasks))
    back = read("label-studio", root, found, file)
    assert {key.path: name for key, name in back.labels.items()} == {
        "a.png": "x",
        "b b.png": "y",
        "sub/c.png": "x",
    }
    assert back.blank == 2 and back.unmatched == ["elsewhere.png"]


def test_an_image_with_several_classes_in_label_studio_is_refused(tmp_path: Path) -> None:
    found = images(tmp_path / "cells", ("a.png",))
    file = tmp_path / "project.json"
    file.write_text(json.dumps([task({"image": "a.png"}, "x", "y")]))
    with pytest.raises(LabelFileError, match="several classes: x, y"):
        read("label-studio", tmp_path / "cells", found, file)
    file.write_text(json.dumps([task({"image": "a.png"}, "x"), task({"image": "a.png"}, "y")]))
    with pytest.raises(LabelFileError, match="x in task 1, y in task 2"):
        read("label-studio", tmp_path / "cells", found, file)


def test_a_json_file_of_fiftyone_is_recognised_without_a_format(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    found = images(root, ("a.png", "b.png"))
    written("fiftyone", root, found, dict.fromkeys(found.keys, 0), tmp_path / "labels.json")
    assert len(read("label-studio", root, found, tmp_path / "labels.json").labels) == 2


def test_every_form_of_a_class_in_fiftyone_is_read(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    found = images(root, ("a.png", "b/c.png", "d.png", "e.png", "f.png"))
    content = {
        "classes": ["x", "y"],
        "labels": {
            "a": 1,
            "b/c": {"label": "x", "confidence": 0.75, "attributes": {}},
            "d": [{"label": "y"}],
            "e": None,
            "f.png": "x",
        },
    }
    file = tmp_path / "labels.json"
    file.write_text(json.dumps(content))
    back = read("fiftyone", root, found, file, probabilities=True)
    assert {key.path: name for key, name in back.labels.items()} == {
        "a.png": "y",
        "b/c.png": "x",
        "d.png": "y",
        "f.png": "x",
    }
    assert back.probabilities == {ImageKey("b/c.png"): 0.75} and back.blank == 1


def test_images_that_fiftyone_would_take_for_one_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    found = images(root, ("a.png", "a.bmp"))
    with pytest.raises(DataError, match="for one image"):
        written("fiftyone", root, found, dict.fromkeys(found.keys, 0), tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("label-studio", b'[{"data": 5}]'),
        ("label-studio", b"[" * 100_000),
        ("fiftyone", b'{"labels": {"a": {"label": 5}}}'),
        ("fiftyone", b'{"labels": {"a": 7}, "classes": ["x"]}'),
        ("fiftyone", b'{"labels": {"a": ["x"]}}'),
        ("cvat", b"<annotations><image"),
        ("cvat", b"<kml></kml>"),
        ("cvat", b'<!DOCTYPE a [<!ENTITY b "c">]><annotations>&b;</annotations>'),
        ("cvat", b"\x00\xff"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    found = images(tmp_path / "cells", ("a.png",))
    file = tmp_path / "labels"
    file.write_bytes(content)
    with pytest.raises(LabelFileError):
        read(name, tmp_path / "cells", found, file)


def test_boxes_of_cvat_are_passed_over_and_its_tags_read(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    found = images(root, ("a.png", "b.png"))
    file = tmp_path / "annotations.xml"
    file.write_text(
        '<?xml version="1.0"?><annotations><version>1.1</version><meta><task><labels/></task></meta>'
        '<image id="0" name="a.png" width="8" height="8"><box label="y" xtl="0" ytl="0" xbr="1" ybr="1"/>'
        '<tag label="x" source="manual"><attribute name="q">1</attribute></tag></image>'
        '<image id="1" name="b.png"></image></annotations>'
    )
    back = read("cvat", root, found, file)
    assert back.labels == {ImageKey("a.png"): "x"} and back.blank == 1


def predictions() -> ExportRows:
    rows = [
        ExportRow(ImageKey("a.png"), 1, 0.875, unsure=False),
        ExportRow(ImageKey("b.png"), 0, 1.0004, unsure=True),
        ExportRow(ImageKey("c.png"), 0),
    ]
    return ExportRows("cells", CLASSES, rows, model="resnet18")


def test_predictions_say_how_probable_they_are_and_which_are_unsure() -> None:
    texts = {}
    for name, write in WRITERS.items():
        buffer = io.BytesIO()
        assert write(buffer, predictions()).count == 3
        texts[name] = buffer.getvalue().decode()
    first, second, third = (each["predictions"][0] for each in json.loads(texts["label-studio"]))
    assert (first["score"], second["score"], first["model_version"]) == (0.875, 1.0, "resnet18")
    assert "score" not in third
    assert [each["data"]["unsure"] for each in json.loads(texts["label-studio"])] == [False, True, False]
    labels = json.loads(texts["fiftyone"])["labels"]
    assert labels["b"] == {"label": "round", "attributes": {"unsure": True}, "confidence": 1.0}
    tags = ElementTree.fromstring(texts["cvat"]).findall("image/tag")
    assert [tag.get("label") for tag in tags] == ["=1+1", "round", "round"]
    assert [[a.text for a in tag] for tag in tags] == [["0.875", "false"], ["1", "true"], [None, "false"]]
    assert texts["mia-csv"].splitlines()[1:] == ["a.png;1;1;%3D1+1", "b.png;1;;", "c.png;1;0;round"]


def from_program(tmp_path: Path, name: str, file: str) -> tuple[Path, dict[str, str]]:
    """A file of hostile and plain names in a format, and the class of each image by its path."""
    root = tmp_path / "cells"
    names = (*PLAIN, "=cmd.png", "<script>.png", "{{7*7}}.png", "a&amp;b.png", "\u00e9.png")
    found = images(root, names)
    labels = {key: place % len(CLASSES) for place, key in enumerate(found.keys)}
    written(name, root, found, labels, tmp_path / file)
    return root, {key.path: CLASSES[place] for key, place in labels.items()}


def test_datumaro_opens_tags_of_cvat(tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro")
    (tmp_path / "set").mkdir()
    root, expected = from_program(tmp_path, "cvat", "set/annotations.xml")
    (tmp_path / "set" / "images").symlink_to(root)
    opened = datumaro.Dataset.import_from(str(tmp_path / "set"), "cvat")
    known = opened.categories()[datumaro.AnnotationType.label]
    found = {item.id: [known[tag.label].name for tag in item.annotations] for item in opened}
    assert found == {path.removesuffix(".png"): [name] for path, name in expected.items()}


def test_fiftyone_opens_its_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIFTYONE_DATABASE_VALIDATION", "false")
    importers = pytest.importorskip("fiftyone.utils.data.importers")
    root, expected = from_program(tmp_path, "fiftyone", "labels.json")
    opened = importers.FiftyOneImageClassificationDatasetImporter(
        data_path=str(root), labels_path=str(tmp_path / "labels.json")
    )
    opened.setup()
    found = {Path(path).relative_to(root).as_posix(): label.label for path, _, label in opened}
    assert found == expected


def test_label_studio_takes_annotations_and_predictions(tmp_path: Path) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    from xml.sax.saxutils import quoteattr

    choices = "".join(f"<Choice value={quoteattr(name)}/>" for name in CLASSES)
    config = interface.LabelInterface(
        '<View><Image name="image" value="$image"/><Choices name="class" toName="image">'
        + choices
        + "</Choices></View>"
    )
    config.validate()
    _, expected = from_program(tmp_path, "label-studio", "tasks.json")
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert len(tasks) == len(expected)
    for each in tasks:
        assert config.validate_task({"data": each["data"]})
        assert config.validate_annotation(each["annotations"][0])
    buffer = io.BytesIO()
    write_tasks(buffer, predictions())
    for each in json.loads(buffer.getvalue()):
        assert config.validate_prediction(each["predictions"][0], return_errors=True) == []
