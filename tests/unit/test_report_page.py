"""The page and the figures of a report: nothing of a name is run, nothing is asked of a network, all is bounded."""

import base64
import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_support import CLASSES, HOSTILE, make_training, put_results, samples_of

from mia_tui.dataset.class_rules import COLOURS
from mia_tui.report.facts import read_facts_of_run
from mia_tui.report.figures import (
    FORMATS,
    confusion_matrix,
    coverage_figure,
    figure_style,
    metrics_of_classes,
    precision_recall_curves,
    reliability_diagram,
    roc_curves,
    save_figure,
)
from mia_tui.report.making import ReportWishes, make_report
from mia_tui.report.numbers import ResultNumbers, compute_numbers, spread
from mia_tui.report.palette import (
    LEAST_CONTRAST,
    LEAST_DISTANCE,
    SAFE,
    class_colours,
    contrast_with_white,
    least_distance,
    line_style,
)
from mia_tui.report.thumbnails import MOST_THUMBNAILS
from mia_tui.runs.record.layout import RunDir

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements of a page with their attributes, and its text; fails where tags do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(run: RunDir, folder: Path) -> Page:
    out = folder / "report.html"
    make_report(run, ReportWishes(page=out))
    return Page(out.read_text("utf-8"))


def numbers_of(run: RunDir) -> ResultNumbers:
    return compute_numbers(read_facts_of_run(run).parts[0])


def test_a_page_holds_everything_and_asks_for_nothing(tmp_path: Path) -> None:
    page = page_of(make_training(tmp_path / "cells"), tmp_path)
    policy = [each["content"] for each in page.named("meta") if "http-equiv" in each]
    assert policy == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "link", "iframe", "object", "form", "base"}
    )
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    addresses = [
        value for _, each in page.elements for name, value in each.items() if name in ("src", "href")
    ]
    assert addresses and all(value.startswith(("data:image/", "#")) for value in addresses)
    ids = {each["id"] for _, each in page.elements if "id" in each}
    assert {value[1:] for value in addresses if value.startswith("#")} <= ids
    for words in (
        "Methods, to copy",
        "Limits of these results",
        "Schmied et al. 2024",
        "Per class",
        "Errors",
    ):
        assert words in page.text


def test_a_page_can_be_heard(tmp_path: Path) -> None:
    page = page_of(make_training(tmp_path / "cells"), tmp_path)
    assert all(each.get("alt") for each in page.named("img"))
    assert all(each.get("scope") in ("col", "row") for each in page.named("th"))
    assert page.named("html") == [{"lang": "en"}] and len(page.named("h1")) == 1


def test_pictures_are_those_of_the_images_with_truth_and_prediction(tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells")
    page = page_of(run, tmp_path)
    pictures = [each for each in page.named("img") if each["src"].startswith("data:image/jpeg")]
    wrong = [each["alt"] for each in pictures if "predicted as" in each["alt"]]
    assert len(pictures) == 9 + 3 * 8
    assert len(set(wrong)) == 9 and all("of class" in alt for alt in wrong)
    first = Image.open(io.BytesIO(base64.b64decode(pictures[0]["src"].partition(",")[2])))
    assert first.size == (20, 24)


def test_an_image_that_is_gone_leaves_a_place_with_words(tmp_path: Path) -> None:
    page = page_of(make_training(tmp_path / "cells", images=False), tmp_path)
    assert "cannot be read" in page.text and not [
        each for each in page.named("img") if each["src"].startswith("data:image/jpeg")
    ]


def test_hostile_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    samples = samples_of(160, len(HOSTILE), name="<img src=x onerror=alert({})>{{{{7*7}}}}.png")
    samples = [type(each)(each.path.replace("/", "_"), each.class_index, each.split) for each in samples]
    run = make_training(
        tmp_path / "cells & <b>",
        samples=samples,
        classes=HOSTILE,
        backbone="timm:<b>x</b>",
        group_by="(<i>)?",
    )
    page = page_of(run, tmp_path)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "iframe", "object"})
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in page.text and "{{ 7*7 }}" in page.text
    assert r"a\x1b[31mred\u202e" in page.text and "$x_1$" in page.text and "{% include" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page.text)
    assert not [each for each in page.named("img") if not each["src"].startswith("data:")]


def test_names_in_figures_are_text_in_svg_and_no_formulas(tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells", classes=HOSTILE, samples=samples_of(160, len(HOSTILE)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with figure_style():
            content = save_figure(metrics_of_classes(numbers_of(run)).figure, "svg")
    assert b"<!DOCTYPE" not in content
    tree = ElementTree.fromstring(content)
    texts = ["".join(each.itertext()) for each in tree.iter("{http://www.w3.org/2000/svg}text")]
    for name in (
        "<script>alert(1)</script>"[:23] + "…",
        "{{ 7*7 }}",
        "$x_1$ \\frac{1}{2}",
        '_under & "quote"',
    ):
        assert name in texts
    assert not list(tree.iter("{http://www.w3.org/2000/svg}script"))


def test_figures_can_be_edited_and_are_the_same_each_time(tmp_path: Path) -> None:
    numbers = numbers_of(make_training(tmp_path / "cells"))
    with figure_style():
        made = [{kind: save_figure(confusion_matrix(numbers).figure, kind) for kind in FORMATS} for _ in "ab"]
    assert made[0]["svg"] == made[1]["svg"] and made[0]["png"] == made[1]["png"]
    assert b"/FontFile2" in made[0]["pdf"] or b"TrueType" in made[0]["pdf"]
    assert b"/Type3" not in made[0]["pdf"]
    assert b"<text" in made[0]["svg"] and b"recall" not in made[0]["svg"]


def test_figures_of_a_part_are_those_of_its_numbers(tmp_path: Path) -> None:
    numbers = numbers_of(make_training(tmp_path / "cells"))
    with figure_style():
        matrix = confusion_matrix(numbers)
        found = [roc_curves(numbers, {}), precision_recall_curves(numbers, {}), reliability_diagram(numbers)]
        coverage = coverage_figure(numbers)
    assert "51 of 60 images are on the diagonal" in matrix.alt
    assert all(figure is not None for figure in found) and coverage is not None
    assert "0.850" in coverage.alt
    shown = matrix.figure.axes[0].images[0].get_array()
    assert shown is not None
    np.testing.assert_allclose(np.diag(shown), numbers.confusion.diagonal() / numbers.confusion.sum(axis=1))


def test_without_probabilities_there_are_fewer_figures_and_a_sentence(tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells", scores=False)
    numbers = numbers_of(run)
    assert roc_curves(numbers, {}) is None and reliability_diagram(numbers) is None
    assert coverage_figure(numbers) is None and numbers.losses == () and len(numbers.wrong) == 9
    page = page_of(run, tmp_path)
    assert "probabilities of single images were not kept" in page.text and "ROC curves" not in page.text
    assert "All images that were predicted wrongly" in page.text


def test_of_many_classes_the_page_shows_the_weakest_and_says_so(tmp_path: Path) -> None:
    classes = [f"species {number:03}" for number in range(230)]
    samples = [
        type(each)(f"im/{number % 40:03}.png", each.class_index, "val" if number // 230 % 2 else "train")
        for number, each in enumerate(samples_of(2300, 230))
    ]
    run = make_training(tmp_path / "cells", classes=classes, samples=samples)
    page = page_of(run, tmp_path)
    assert "the 200 of 230 classes with the lowest F1" in page.text
    assert "the 200 largest of 230 classes" in page.text
    assert "The 10 of 230 classes with the lowest F1" in page.text
    pictures = [each for each in page.named("img") if each["src"].startswith("data:image/jpeg")]
    assert 0 < len(pictures) <= MOST_THUMBNAILS


def test_a_run_without_any_results_still_has_a_report(tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells", events=())
    for file in run.confusion("best").parent.iterdir():
        file.unlink()
    page = page_of(run, tmp_path)
    assert "The training itself has no results" in page.text and "Methods, to copy" in page.text
    assert "No epoch has ended yet" in page.text


def test_results_without_an_image_have_a_page(tmp_path: Path) -> None:
    samples = samples_of(30, 3, parts=("train",))
    page = page_of(make_training(tmp_path / "cells", samples=samples), tmp_path)
    assert "Validation part: 0 images" in page.text and "Every image was predicted rightly" not in page.text


def test_a_perfect_network_and_an_absent_class_break_nothing(tmp_path: Path) -> None:
    samples = samples_of(120, 2)
    run = make_training(tmp_path / "cells", samples=samples, classes=CLASSES)
    put_results(run, "best", samples, CLASSES, split="val")
    page = page_of(run, tmp_path)
    assert "No evaluated image is of owl" in page.text


def test_safe_colours_are_told_apart_and_seen_on_white() -> None:
    assert least_distance(SAFE) >= LEAST_DISTANCE
    assert min(map(contrast_with_white, SAFE)) >= LEAST_CONTRAST
    assert contrast_with_white("#ffffff") == pytest.approx(1.0)
    assert contrast_with_white("#000000") == pytest.approx(21.0)


def test_red_and_green_of_equal_brightness_are_not_told_apart_by_everybody() -> None:
    assert least_distance(["#d00000", "#6e6e00"]) < LEAST_DISTANCE
    assert least_distance(["#0072b2", "#d55e00"]) > LEAST_DISTANCE


def test_class_colours_are_those_of_the_app_where_they_are_safe() -> None:
    own = {"cat": "#0072b2", "dog": "#d55e00", "owl": "#f0e442"}
    assert class_colours(["cat", "dog"], own) == ["#0072b2", "#d55e00"]
    chosen = class_colours(["cat", "dog", "owl"], own)
    assert chosen[:2] == ["#0072b2", "#d55e00"] and chosen[2] in SAFE and chosen[2] not in chosen[:2]
    assert class_colours(["cat", "wolf"], {"cat": "#0072b2", "wolf": "#0073b3"})[1] != "#0073b3"
    many = [f"class {number}" for number in range(20)]
    colours = class_colours(many, dict(zip(many, COLOURS, strict=False)))
    assert len(colours) == 20
    assert line_style(0) == "solid" and line_style(len(SAFE)) != "solid"


def test_rows_are_spread_evenly() -> None:
    assert spread(np.arange(10, 20), 3) == [10, 14, 19]
    assert (
        spread(np.arange(2), 5) == [0, 1] and spread(np.arange(0), 5) == [] and spread(np.arange(3), 0) == []
    )
