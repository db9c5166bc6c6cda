"""Which picture is painted when: never two on their way, the newest wins, coarse first on a slow connection."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from mia_tui.dataset.images.rendering import DisplaySettings, RenderedImage
from mia_tui.dataset.images.source import Place, Scene
from mia_tui.dataset.model import ImageKey
from mia_tui.terminal.model import Graphics, Multiplexer, Panel, Picture, Terminal
from mia_tui.tui.pictures.cache import PictureRequest, PictureResult
from mia_tui.tui.pictures.flow_control import ASK, FlowControl
from mia_tui.tui.pictures.kitty_cache import KEPT
from mia_tui.tui.pictures.scheduler import (
    COARSE_S,
    FINE_S,
    MOST_REFUSALS,
    PAINTED_S,
    PART_S,
    REST_S,
    UNKNOWN_S,
    DisplayTarget,
    PictureScheduler,
)

PANEL = Panel(10, 5, 10, 20)
A, B, C = ImageKey("a.png"), ImageKey("b.png"), ImageKey("c.png")


class FakePictureCache:
    """Makes what it is told to make, when it is told to."""

    def __init__(self) -> None:
        self.made: dict[PictureRequest, PictureResult] = {}
        self.wanted: list[PictureRequest] = []
        self.ids = 0
        self.whole_bytes = 50_000  # with less, a picture is coarse

    def get(self, request: PictureRequest) -> PictureResult | None:
        return self.made.get(request)

    def want(self, requests: list[PictureRequest], *, shown: PictureRequest | None = None) -> None:
        self.wanted = list(requests)

    def make(self, request: PictureRequest, *, kitty: bool = False) -> PictureResult:
        self.ids += 1
        count = min(30, (request.max_bytes or 120_000) // 4000) if kitty else 0
        ahead = "".join(f"\x1b_Gm={int(n + 1 < count)};{'x' * 3980}\x1b\\" for n in range(count))
        lines = tuple(" " * PANEL.columns for _ in range(PANEL.rows))
        picture = Picture(
            PANEL,
            lines,
            None,
            "G",
            0,
            0,
            10,
            5,
            ahead,
            self.ids if kitty else 0,
            100,
            request.max_bytes is not None and request.max_bytes < self.whole_bytes,
        )
        view = RenderedImage(
            np.zeros((1, 1, 3), np.uint8),
            1,
            1,
            1.0,
            0,
            0,
            1,
            1,
            Scene((1, 1), np.dtype(np.uint8)),
            Place(),
            {},
            (),
            "image",
        )
        self.made[request] = PictureResult(request, picture, view)
        return self.made[request]


@dataclass
class Stage:
    """A picture scheduler with everything around it."""

    graphics: Graphics = "iterm2"
    multiplexer: Multiplexer = ""
    now: float = 0.0
    painted: list[PictureRequest] = field(default_factory=list)
    cards: list[ImageKey] = field(default_factory=list)
    refused: list[ImageKey] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    timers: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flow_control = FlowControl(lambda: self.now)
        self.picture_cache = FakePictureCache()
        self.scheduler = PictureScheduler(
            self.picture_cache,  # type: ignore[arg-type]  # as much of it as is used
            self.flow_control,
            Terminal(self.graphics, "true", 10, 20, True, multiplexer=self.multiplexer),
            paint=self.paint,
            paint_next_part=lambda: False,
            card=self.cards.append,
            refused=self.refused.append,
            write=self.written.append,
            later=self.later,
            clock=lambda: self.now,
        )

    def paint(self, ready: PictureResult, part_bytes: int | None, is_refined: bool) -> None:
        before = replace(self.painted[-1], max_bytes=None) if self.painted else None
        assert not is_refined or replace(ready.request, max_bytes=None) == before
        self.painted.append(ready.request)
        self.flow_control.sent(20_000)

    def made(self, ready: PictureResult) -> None:
        self.scheduler.ready()

    def later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        timer = (self.now + seconds, action)
        self.timers.append(timer)
        return lambda: self.timers.remove(timer) if timer in self.timers else None

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while due := sorted(
            (timer for timer in self.timers if timer[0] <= until), key=lambda timer: timer[0]
        ):
            self.timers.remove(due[0])
            self.now = due[0][0]
            due[0][1]()
        self.now = until

    def answer(self, after: float = 0.001) -> None:
        self.now += after
        self.flow_control.answered()

    def live(self, seconds: float, *, bytes_per_s: float) -> None:
        """Let time pass: pictures get made, the terminal answers."""
        until = self.now + seconds
        while self.now < until:
            for request in self.picture_cache.wanted:
                if request not in self.picture_cache.made:
                    self.made(self.picture_cache.make(request, kitty=self.graphics == "kitty"))
            if self.flow_control.busy:
                self.answer(self.flow_control.bytes_in_flight / bytes_per_s)
            else:
                self.wait(0.02)

    def make_slow(self) -> None:
        """2 Mbit/s, as measured."""
        self.flow_control.sent(25_000)
        self.answer(0.1)
        assert self.flow_control.is_slow


def target(key: ImageKey, *ahead: ImageKey) -> DisplayTarget:
    return DisplayTarget(key, DisplaySettings(), PANEL, ahead)


def test_what_is_ready_is_painted_at_once() -> None:
    stage = Stage()
    request = PictureRequest(A, DisplaySettings(), PANEL)
    stage.picture_cache.make(request)
    stage.scheduler.show(target(A))
    assert stage.painted == [request]
    stage.scheduler.show(target(A))
    assert stage.painted == [request], "the same again is not painted again"


def test_what_is_not_ready_is_painted_when_it_is() -> None:
    stage = Stage()
    stage.scheduler.show(target(A, B))
    assert stage.painted == [] and [request.key for request in stage.picture_cache.wanted] == [A]
    stage.made(stage.picture_cache.make(PictureRequest(A, DisplaySettings(), PANEL)))
    assert [request.key for request in stage.painted] == [A]


def test_the_next_images_are_made_when_the_present_one_is_painted() -> None:
    stage = Stage()
    stage.scheduler.show(target(A, B))
    stage.made(stage.picture_cache.make(PictureRequest(A, DisplaySettings(), PANEL)))
    assert B not in [request.key for request in stage.picture_cache.wanted], "it would hold up the paint"
    stage.wait(PAINTED_S)
    assert [request.key for request in stage.picture_cache.wanted] == [B]


def test_an_image_that_takes_long_gives_the_panel_to_a_card() -> None:
    stage = Stage()
    stage.scheduler.show(target(A))
    stage.wait(UNKNOWN_S + 0.01)
    assert stage.cards == [A]


def test_a_picture_on_its_way_holds_back_others_and_the_newest_wins() -> None:
    stage = Stage()
    for key in (A, B, C):
        stage.picture_cache.make(PictureRequest(key, DisplaySettings(), PANEL))
        stage.scheduler.show(target(key))
    assert [request.key for request in stage.painted] == [A]
    stage.answer()
    assert [request.key for request in stage.painted] == [A, C], "B was never sent"


def test_a_slow_line_gets_a_coarse_picture_first_and_the_fine_one_at_rest() -> None:
    stage = Stage()
    stage.make_slow()
    stage.scheduler.show(target(A))
    coarse, fine = stage.picture_cache.wanted
    assert coarse.max_bytes is not None and fine.max_bytes is not None
    assert coarse.max_bytes <= 250_000 * COARSE_S < fine.max_bytes <= 250_000 * FINE_S
    stage.made(stage.picture_cache.make(coarse))
    stage.picture_cache.make(fine)
    assert stage.painted == [coarse]
    stage.answer(0.08)
    assert stage.painted == [coarse], "not before the person rests on it"
    stage.wait(REST_S)
    assert [request.key for request in stage.painted] == [A, A]
    assert stage.painted[1].max_bytes is not None and stage.painted[1].max_bytes > coarse.max_bytes


def test_while_a_key_is_held_a_picture_without_parts_is_as_small_as_a_part() -> None:
    stage = Stage()
    stage.make_slow()
    stage.scheduler.show(target(A))
    stage.wait(0.03)
    stage.scheduler.show(target(B))
    passed, _ = stage.picture_cache.wanted
    assert passed.max_bytes is not None and passed.max_bytes <= max(4096, 250_000 * PART_S)
    stage.made(stage.picture_cache.make(passed))
    assert stage.painted == [passed]
    stage.live(REST_S + 1.0, bytes_per_s=250_000)
    fine = stage.painted[-1]
    assert fine.key == B and fine.max_bytes is not None and fine.max_bytes > 250_000 * COARSE_S


def test_going_on_takes_the_refinement_back() -> None:
    stage = Stage()
    stage.make_slow()
    for key in (A, B):
        stage.scheduler.show(target(key))
        coarse = stage.picture_cache.wanted[0]
        stage.made(stage.picture_cache.make(coarse))
        stage.answer(0.08)
    assert [request.key for request in stage.painted] == [A, B]
    stage.wait(REST_S + 0.1)
    assert all(request.key == B for request in stage.painted[1:])


@pytest.mark.parametrize("slow", [False, True])
def test_with_kitty_the_next_image_is_sent_ahead_and_shown_without_its_data(slow: bool) -> None:
    stage = Stage("kitty")
    if slow:
        stage.make_slow()
    stage.scheduler.show(target(A, B))
    stage.live(3.0, bytes_per_s=250_000 if slow else 50e6)
    assert "".join(stage.written).count("\x1b_Gm=0") == len(stage.scheduler._kitty_cache.requests), (
        "whole images only"
    )
    pieces = [piece for piece in stage.written if piece.endswith(ASK)]
    if slow:
        assert max(map(len, pieces)) < 15_000, "a key's answer waits behind one piece"
    assert not stage.flow_control.busy and B in {
        request.key for request in stage.scheduler._kitty_cache.requests
    }
    before, painted = len(stage.written), len(stage.painted)
    stage.scheduler.show(target(B, C))
    assert [request.key for request in stage.painted[painted:]] == [B], "at once"
    assert stage.written[before:] == [], "the terminal has the data already"


def numbers_deleted(stage: Stage) -> list[int]:
    return [int(number) for piece in stage.written for number in re.findall(r"a=d,d=I,i=(\d+)", piece)]


def test_when_the_terminal_has_many_images_all_are_taken_out_but_the_one_that_is_seen() -> None:
    stage = Stage("kitty")
    keys = [ImageKey(f"{n}.png") for n in range(KEPT + 1)]
    for key in keys[:-1]:
        stage.scheduler.show(target(key))
        stage.live(0.5, bytes_per_s=50e6)
    assert numbers_deleted(stage) == [] and len(stage.scheduler._kitty_cache.requests) == KEPT
    stage.scheduler.show(target(keys[-1]))
    stage.live(0.5, bytes_per_s=50e6)
    assert numbers_deleted(stage) == list(range(1, KEPT)), "the last is on the screen yet"
    assert [request.key for request in stage.scheduler._kitty_cache.requests] == [keys[-1]], (
        "none of the others is trusted"
    )


def test_large_pictures_are_fewer() -> None:
    stage = Stage("kitty")
    screen = Panel(240, 67, 16, 32)  # 4K
    for number in range(KEPT):
        request = PictureRequest(ImageKey(f"{number}.png"), DisplaySettings(), screen)
        ready = stage.picture_cache.make(request, kitty=True)
        assert ready.picture is not None
        large = replace(ready.picture, panel=screen, columns=240, rows=67)
        stage.picture_cache.made[request] = replace(ready, picture=large)
        stage.scheduler.show(DisplayTarget(request.key, DisplaySettings(), screen))
        stage.answer()
        assert len(stage.scheduler._kitty_cache.requests) <= 4, "134 MB"


def test_at_the_end_nothing_stays_in_the_terminal() -> None:
    stage = Stage("kitty")
    for key in (A, B):
        stage.scheduler.show(target(key, C))
        stage.live(1.0, bytes_per_s=50e6)
    stage.scheduler.put_away()
    assert sorted(numbers_deleted(stage)) == [1, 2, 3] and stage.scheduler._kitty_cache.requests == ()
    written = len(stage.written)
    stage.scheduler.show(target(B, C))
    stage.live(1.0, bytes_per_s=50e6)
    assert len(stage.written) == written


def test_a_picture_that_the_terminal_has_not_kept_is_sent_again() -> None:
    stage = Stage("kitty")
    for key in (A, B, A):
        stage.scheduler.show(target(key))
        stage.live(0.3, bytes_per_s=50e6)
    sent, painted = sent_images(stage), len(stage.painted)
    stage.scheduler.show(target(B))
    stage.flow_control.on_refused(2)
    assert stage.scheduler._kitty_cache.requests == (), "others may be gone, too"
    stage.answer()
    assert [request.key for request in stage.painted[painted:]] == [B, B] and sent_images(stage) == sent + 1
    stage.flow_control.on_refused(77)
    stage.answer()
    assert len(stage.painted) == painted + 2, "that is not what is on the screen"


def test_a_terminal_that_keeps_no_picture_at_all_is_not_asked_for_ever() -> None:
    stage = Stage("kitty")
    stage.picture_cache.make(PictureRequest(A, DisplaySettings(), PANEL), kitty=True)
    stage.scheduler.show(target(A))
    while stage.flow_control.busy:
        stage.flow_control.on_refused(1)
        stage.answer()
    assert len(stage.painted) == MOST_REFUSALS and stage.refused == [A]


def sent_images(stage: Stage) -> int:
    return "".join(stage.written).count("\x1b_Gm=0")


def test_two_pictures_in_the_terminal_never_have_one_number() -> None:
    """In tmux there are 255: a picture made long ago has the number of a new one."""
    stage = Stage("kitty", "tmux")
    stage.picture_cache.make(PictureRequest(A, DisplaySettings(), PANEL), kitty=True)  # number 1
    stage.picture_cache.ids = 255
    stage.picture_cache.make(PictureRequest(B, DisplaySettings(), PANEL), kitty=True)  # number 1 again
    stage.scheduler.show(target(A, B))
    stage.live(1.0, bytes_per_s=50e6)
    assert [request.key for request in stage.scheduler._kitty_cache.requests] == [A], (
        "A is on the screen, and would become B"
    )
    stage.scheduler.show(target(B, A))
    stage.live(1.0, bytes_per_s=50e6)
    assert [request.key for request in stage.painted] == [A, B]
    assert [request.key for request in stage.scheduler._kitty_cache.requests] == [B], (
        "A is gone and would be sent again"
    )


def test_sixel_shows_a_coarse_picture_while_the_fine_one_is_made() -> None:
    stage = Stage("sixel")
    stage.scheduler.show(target(A))
    coarse, fine = stage.picture_cache.wanted
    assert coarse.max_bytes is not None and fine.max_bytes is None
    stage.made(stage.picture_cache.make(coarse))
    stage.answer()
    assert stage.painted == [coarse]
    stage.made(stage.picture_cache.make(fine))
    assert stage.painted == [coarse, fine], "without a rest: the line is fast"


def test_a_speed_that_wavers_paints_nothing_again() -> None:
    stage = Stage()
    stage.make_slow()
    stage.scheduler.show(target(A))
    stage.live(2.0, bytes_per_s=250_000)
    painted = len(stage.painted)
    for bytes_per_s in (2_000_000, 100_000, 400_000, 3_000_000):
        stage.flow_control.sent(40_000)
        stage.answer(40_000 / bytes_per_s)
        stage.live(1.0, bytes_per_s=bytes_per_s)
    assert len(stage.painted) == painted


def test_nothing_is_painted_under_another_screen() -> None:
    stage = Stage()
    stage.scheduler.show(target(A))
    stage.scheduler.hide()
    stage.made(stage.picture_cache.make(PictureRequest(A, DisplaySettings(), PANEL)))
    stage.wait(1.0)
    assert stage.painted == [] and stage.cards == []


def test_an_image_whose_file_is_another_one_is_painted_anew_and_the_terminal_forgets_the_old_one() -> None:
    stage = Stage("kitty")
    request = PictureRequest(A, DisplaySettings(), PANEL)
    stage.picture_cache.make(request, kitty=True)
    stage.scheduler.show(target(A))
    stage.answer()
    assert stage.painted == [request] and stage.scheduler._kitty_cache.requests == (request,)
    del stage.picture_cache.made[request]
    stage.scheduler.renew(A)
    assert stage.scheduler._kitty_cache.requests == () and numbers_deleted(stage) == [], (
        "it goes with the next ones"
    )
    assert request in stage.picture_cache.wanted
    stage.made(stage.picture_cache.make(request, kitty=True))
    assert stage.painted == [request, request]
    stage.answer()
    stage.scheduler.renew(B)
    assert stage.painted == [request, request] and stage.scheduler._kitty_cache.requests == (request,), (
        "another image is no concern of it"
    )


def test_after_the_app_was_stopped_and_goes_on_kitty_gets_the_picture_again() -> None:
    stage = Stage("kitty")
    request = PictureRequest(A, DisplaySettings(), PANEL)
    ready = stage.picture_cache.make(request, kitty=True)
    stage.scheduler.show(target(A))
    stage.answer()
    sent = len(stage.written)
    stage.scheduler.terminal_forgot()
    assert ready.picture is not None and stage.written[-1] == ready.picture.ahead
    assert all("a=d,d=I" in piece for piece in stage.written[sent:-1])
    assert stage.painted == [request, request] and stage.scheduler._kitty_cache.requests == (request,)
