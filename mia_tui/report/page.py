"""The page of a report: HTML with all of its pictures inside, without a script, and without any address to ask.

Every text goes through `printable`, and is escaped by Jinja2.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mia_tui import __version__
from mia_tui.analysis.metrics import Estimate
from mia_tui.catalog.metrics import metric_words
from mia_tui.dataset.model import PARTS, WHOLE_STACK, ImageKey
from mia_tui.report.facts import RunFacts
from mia_tui.report.figures import ReportFigure
from mia_tui.report.numbers import ResultNumbers
from mia_tui.report.thumbnails import Gallery, ReportImage
from mia_tui.report.words.checklist import ChecklistItem
from mia_tui.report.words.literature import Citation
from mia_tui.report.words.settings import SettingRow
from mia_tui.text import duration, printable

MOST_ROWS = 200
"""Classes in a table; of more, those with the lowest F1 or the most images."""

_SIZES_SHOWN = 6
_TEMPLATES = Path(__file__).parent / "templates"
_PART_WORDS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class PagePart:
    """What the page shows of one part: its numbers, figures with their pictures, and galleries.

    `looks` has a picture for some images that shows where the network looks.
    """

    numbers: ResultNumbers
    figures: Sequence[tuple[ReportFigure, str]]
    errors: Gallery
    classes: Sequence[Gallery]
    thumbnails: Mapping[ImageKey, str]
    looks: Mapping[ImageKey, str]

    @property
    def shown_classes(self) -> list[int]:
        """Positions of the classes in its table."""
        return self.numbers.shown_classes(MOST_ROWS)


@dataclass(frozen=True, eq=False)
class PageContent:
    """Everything that is on the page; pictures are data URIs."""

    facts: RunFacts
    parts: Sequence[PagePart]
    figures: Sequence[tuple[ReportFigure, str]]
    methods: str
    limits: Sequence[str]
    checklist: Sequence[ChecklistItem]
    settings: Sequence[SettingRow]
    literature: Sequence[Citation]
    created_at: float


def render_page(content: PageContent) -> bytes:
    """The page, UTF-8."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {
            "estimate": estimate_words,
            "interval": interval_words,
            "metric": metric_words,
            "image": image_words,
            "alt": alt_words,
            "thousands": lambda count: f"{count:,}",
            "percent": lambda share: f"{share:.1%}",
            "duration": duration,
        }
    )
    template = environment.get_template("report.html")
    page = template.render(
        content=content,
        facts=content.facts,
        style=Markup((_TEMPLATES / "report.css").read_text("utf-8")),  # our own file
        part_words=_PART_WORDS,
        PARTS=PARTS,
        counts=_shown_counts(content.facts),
        sizes=content.facts.sizes.sizes[:_SIZES_SHOWN],
        made=time.strftime("%Y-%m-%d %H:%M", time.localtime(content.created_at)),
        trained=_day(content.facts),
        version=__version__,
        WHOLE_STACK=WHOLE_STACK,
    )
    return page.encode("utf-8")


def _finalize(value: Any) -> Any:
    """Control characters of names become visible."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _shown_counts(facts: RunFacts) -> list[tuple[str, dict[str, int]]]:
    counts = facts.counts() if facts.samples else []
    if len(counts) <= MOST_ROWS:
        return counts
    return sorted(counts, key=lambda row: -sum(row[1].values()))[:MOST_ROWS]


def _day(facts: RunFacts) -> str:
    if facts.state is None or facts.state.first_started_at is None:
        return ""
    return time.strftime("%Y-%m-%d", time.localtime(facts.state.first_started_at))


def estimate_words(estimate: Estimate) -> str:
    """`0.951`."""
    return f"{estimate.value:.3f}"


def interval_words(estimate: Estimate) -> str:
    """`0.931-0.968`, or why there is none."""
    if estimate.interval is None:
        return estimate.why_none
    return f"{estimate.interval.low:.3f}–{estimate.interval.high:.3f}"


def image_words(image: ReportImage) -> str:
    """The path of an image, with its frame."""
    frame = image.key.frame
    return f"{image.key.path} frame {frame}" if frame not in (0, WHOLE_STACK) else image.key.path


def alt_words(image: ReportImage) -> str:
    """What a thumbnail shows, in words."""
    said = "rightly" if image.is_right else f"as {printable(image.predicted)}"
    return f"Image {image_words(image)} of class {printable(image.truth)}, predicted {said}"
