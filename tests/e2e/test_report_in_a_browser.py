"""The report of a run in a real browser: it asks for nothing, runs nothing, and shows all of its pictures."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_support import BROWSER, Browser
from report_support import HOSTILE, make_training, samples_of

from mia_tui.report.making import ReportWishes, make_report

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")]

BROKEN = "[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "browser") as opened:
        yield opened


def test_a_report_asks_for_nothing_and_shows_all_of_its_pictures(browser: Browser, tmp_path: Path) -> None:
    make_report(make_training(tmp_path / "cells"), ReportWishes(page=tmp_path / "report.html"))
    browser.open(tmp_path / "report.html")
    assert browser.requests == [] and browser.faults == []
    assert browser.value("document.images.length") > 30 and browser.value(BROKEN) == 0
    assert browser.value(WIDER) <= 0
    printed = base64.b64decode(browser.call("Page.printToPDF", printBackground=True)["data"])
    assert printed.startswith(b"%PDF") and printed.count(b"/Type /Page\n") >= 3


def test_hostile_names_run_nothing_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    samples = samples_of(160, len(HOSTILE), name="<img src=x onerror=alert({})>.png")
    run = make_training(tmp_path / "cells", samples=samples, classes=HOSTILE, backbone="timm:<b>x</b>")
    make_report(run, ReportWishes(page=tmp_path / "report.html"))
    browser.open(tmp_path / "report.html")
    assert browser.requests == [] and browser.faults == []
    assert browser.value("document.scripts.length") == 0 and browser.value(BROKEN) == 0
    assert HOSTILE[0] in browser.value("document.body.innerText")


def test_what_a_page_asks_for_and_its_faults_are_seen(browser: Browser, tmp_path: Path) -> None:
    """The other tests would pass if the browser told nothing."""
    page = tmp_path / "page.html"
    page.write_text('<img src="other.png"><script>throw new Error("a fault")</script>')
    browser.open(page)
    assert [address.rpartition("/")[2] for address in browser.requests] == ["other.png"]
    assert browser.faults and browser.value(BROKEN) == 1
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    page.write_text(f"{policy}<script>document.title = 'ran'</script>")
    browser.open(page)
    assert browser.faults and browser.value("document.title") != "ran"
