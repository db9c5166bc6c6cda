"""Ready lines are written as they are; what an overlay cuts is made of segments."""

from rich.console import Console
from rich.segment import Segment

from mia_tui.tui.pictures.strips import RawStrip

CONSOLE = Console()


def made(calls: list[str]) -> RawStrip:
    def plain() -> list[Segment]:
        calls.append("plain")
        return [Segment("abcdef")]

    return RawStrip("\x1b[1mABCDEF\x1b[0m", 6, plain, lambda: calls.append("written"))


def test_a_whole_line_is_written_as_it_is_and_each_writing_is_told() -> None:
    calls: list[str] = []
    strip = made(calls)
    assert strip.cell_length == 6
    (whole,) = strip.divide([6])
    assert whole.render(CONSOLE) == "\x1b[1mABCDEF\x1b[0m"
    assert strip.crop(0, 6).render(CONSOLE) == "\x1b[1mABCDEF\x1b[0m"
    assert calls == ["written", "written"]


def test_a_cut_line_is_made_of_its_plain_segments() -> None:
    calls: list[str] = []
    left, middle, right = made(calls).divide([2, 4, 6])
    assert [part.text for part in (left, middle, right)] == ["ab", "cd", "ef"]
    assert made([]).crop(1, 3).text == "bc"
    assert made([]).crop(0, 0).text == ""
    assert calls == ["plain"], "nothing was written"
