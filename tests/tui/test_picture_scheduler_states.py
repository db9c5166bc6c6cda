"""Whatever happens in whatever order, the right picture is shown in the end, and it is a fine one.

The terminal, the picture cache and a view that paints a little later are simulated, with
a clock of their own. hypothesis picks what happens next.
"""

import io
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from kitty_terminal import KittyTerminal
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mia_tui.dataset.images.rendering import DisplaySettings, RenderedImage
from mia_tui.dataset.images.source import Place, Scene
from mia_tui.dataset.model import ImageKey
from mia_tui.terminal import kitty
from mia_tui.terminal.model import Graphics, Panel, Picture, Terminal
from mia_tui.terminal.pictures import hide_picture
from mia_tui.tui.pictures.cache import PictureRequest, PictureResult
from mia_tui.tui.pictures.flow_control import ASK, FlowControl
from mia_tui.tui.pictures.kitty_cache import KEPT
from mia_tui.tui.pictures.scheduler import DisplayTarget, PictureScheduler

KEYS = [ImageKey(f"{number}.png") for number in range(24)]
PANELS = (Panel(10, 5, 10, 20), Panel(8, 4, 10, 20))
LOOKS = (DisplaySettings(), DisplaySettings(zoom=2.0))
SPEEDS = (3e3, 20e3, 190e3, 450e3, 2e6, 50e6)  # bytes a second
WHOLE_BYTES = 120_000
VIEW = RenderedImage(
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


@dataclass(frozen=True)
class Sent:
    """Something on the line: what it takes, what the terminal is told, whether it answers, what is seen then."""

    size: int
    text: str = ""
    asks: bool = False
    seen: PictureResult | None = None


class World:
    """A picture scheduler with everything around it."""

    def __init__(self, graphics: Graphics, model: KittyTerminal) -> None:
        self.terminal = Terminal(graphics, "true", 10, 20, True)
        self.kitty = model
        self.now, self.speed = 0.0, 50e6
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.line: deque[Sent] = deque()
        self.wanted: list[PictureRequest] = []
        self.made: dict[PictureRequest, PictureResult] = {}
        self.generation = dict.fromkeys(KEYS, 0)  # of each image's file
        self.drawn: list[tuple[PictureRequest, int]] = []  # by the number of the picture, less one
        self.seen: PictureResult | None = None
        self.painting: deque[Sent] = deque()  # parts of the view that are to be painted
        self.refreshed: deque[Sent] = deque()  # those which the view will write at its next turn
        self.on_view: Picture | None = None
        self.refused: list[ImageKey] = []
        self.flow_control = FlowControl(lambda: self.now)
        self.scheduler = PictureScheduler(
            self,  # type: ignore[arg-type]  # stands for the picture cache
            self.flow_control,
            self.terminal,
            paint=self.paint,
            paint_next_part=self.paint_next_part,
            card=self.show_card,
            refused=self.refused.append,
            write=self.write,
            later=self.later,
            clock=lambda: self.now,
        )

    # As the picture cache

    def get(self, request: PictureRequest) -> PictureResult | None:
        return self.made.get(request)

    def want(self, requests: list[PictureRequest], *, shown: PictureRequest | None = None) -> None:
        self.wanted = list(requests)

    def make(self) -> bool:
        """The first picture that is wanted and not there."""
        request = next((request for request in self.wanted if request not in self.made), None)
        if request is None:
            return False
        self.drawn.append((request, self.generation[request.key]))
        number, size = len(self.drawn), min(WHOLE_BYTES, request.max_bytes or WHOLE_BYTES)
        ahead = graphics = ""
        if self.terminal.graphics == "kitty":
            ahead = kitty.transmission(png(colour(number), size * 3 // 4), number, self.terminal)
            graphics = kitty.placement(number, 10, 5, self.terminal)
        picture = Picture(
            panel=request.panel,
            lines=(" " * request.panel.columns,) * request.panel.rows,
            cells=None,
            graphics=graphics,
            x=0,
            y=0,
            columns=request.panel.columns,
            rows=request.panel.rows,
            ahead=ahead,
            image_id=number if graphics else 0,
            size_bytes=len(graphics) + 100 if graphics else size,
            is_coarse=size < WHOLE_BYTES,
        )
        self.made[request] = PictureResult(request, picture, VIEW)
        self.scheduler.ready()
        return True

    # The view

    def paint(self, ready: PictureResult, part_bytes: int | None, is_refined: bool) -> None:
        picture = ready.picture
        assert picture is not None
        text, before = picture.graphics, self.on_view
        if before is not None and before is not picture:
            text = hide_picture(before.image_id, self.terminal) + text
        count = 1
        if part_bytes is not None and not picture.graphics and self.terminal.graphics == "half":
            count = min(picture.panel.rows, -(-picture.size_bytes // max(1, part_bytes)))
        parts = [Sent(picture.size_bytes // count, asks=True) for _ in range(count)]
        parts[-1] = replace(parts[-1], text=text, seen=ready)
        self.on_view, self.painting = picture, deque(parts)
        self.refreshed.clear()
        self.paint_next_part()

    def paint_next_part(self) -> bool:
        if not self.painting:
            return False
        self.refreshed.append(self.painting.popleft())
        return True

    def render(self) -> None:
        while self.refreshed:
            part = self.refreshed.popleft()
            self.line.append(part)
            self.flow_control.sent(part.size)

    def show_card(self, key: ImageKey) -> None:
        self.withdraw()
        self.on_view = None
        self.painting.clear()
        self.refreshed.clear()

    def withdraw(self) -> None:
        if self.on_view is not None:
            self.write(hide_picture(self.on_view.image_id, self.terminal))

    # The line and the terminal

    def write(self, text: str) -> None:
        self.line.append(Sent(len(text), text, asks=text.endswith(ASK)))

    def deliver(self) -> bool:
        """What is first on the line arrives, and its answer."""
        if not self.line:
            return False
        sent = self.line.popleft()
        self.pass_time(sent.size / self.speed)
        answers = self.kitty.take(sent.text.removesuffix(ASK).encode()).decode()
        self.seen = sent.seen or self.seen
        for answer in re.findall(r"\x1b_G.*?\x1b\\", answers):
            number = kitty.missing_number(answer)
            assert number is not None, "only what is missing is answered"
            self.flow_control.on_refused(number)
        if sent.asks:
            self.flow_control.answered()
        return True

    # Time

    def later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        timer = (self.now + seconds, action)
        self.timers.append(timer)
        return lambda: self.timers.remove(timer) if timer in self.timers else None

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while due := sorted(
            (timer for timer in self.timers if timer[0] <= until), key=lambda timer: timer[0]
        ):
            self.timers.remove(due[0])
            self.now = max(self.now, due[0][0])
            due[0][1]()
            self.render()
        self.now = until

    def come_to_rest(self) -> None:
        """Nothing new happens: what is begun goes on to its end."""
        for _ in range(2000):
            self.render()
            if self.make() or self.deliver():
                continue
            if not self.timers:
                self.flow_control.expire()
                if not (self.line or self.refreshed or self.flow_control.busy):
                    return
            self.pass_time(0.5)
        raise AssertionError("it never comes to rest")


def colour(number: int) -> tuple[int, int, int]:
    return number % 256, number // 256, 7


def png(shown: tuple[int, int, int], size: int) -> bytes:
    """A picture of one colour that takes about so many bytes."""
    padding = PngInfo()
    padding.add_text("padding", "x" * max(1, size - 100))
    file = io.BytesIO()
    Image.new("RGB", (2, 2), shown).save(file, "PNG", pnginfo=padding)
    return file.getvalue()


class Events(RuleBasedStateMachine):
    """All that can happen."""

    graphics: Graphics = "half"

    def __init__(self) -> None:
        super().__init__()
        self.place, self.look, self.panel = 0, 0, 0
        self.covered = False

    @initialize(speed=st.sampled_from(SPEEDS), old=st.booleans(), small=st.booleans())
    def open(self, speed: float, old: bool, small: bool) -> None:
        quota = 50 if small else 10_000  # of 16 bytes each
        self.world = World(self.graphics, KittyTerminal(old, old, quota_bytes=16 * quota))
        self.world.speed = speed
        self.show()

    def show(self) -> None:
        if not self.covered:
            ahead = [KEYS[place] for place in (self.place + 1, self.place + 2) if place < len(KEYS)]
            target = DisplayTarget(KEYS[self.place], LOOKS[self.look], PANELS[self.panel], tuple(ahead))
            self.world.scheduler.show(target)

    @rule(by=st.sampled_from((1, 1, 1, 1, -1, -1, -5, 5)))
    def move(self, by: int) -> None:
        self.place = min(max(0, self.place + by), len(KEYS) - 1)
        self.show()

    @rule()
    def zoom(self) -> None:
        self.look = 1 - self.look
        self.show()

    @rule()
    def resize(self) -> None:
        self.panel = 1 - self.panel
        self.show()

    @rule()
    def label(self) -> None:
        """What is likely to be next may be another one; the image is the same."""
        if not self.covered:
            target = DisplayTarget(KEYS[self.place], LOOKS[self.look], PANELS[self.panel], (KEYS[-1],))
            self.world.scheduler.show(target)

    @rule()
    def dialog(self) -> None:
        self.covered = not self.covered
        if self.covered:
            self.world.scheduler.hide()
            self.world.withdraw()
        else:
            self.show()

    @rule(speed=st.sampled_from(SPEEDS))
    def change_speed(self, speed: float) -> None:
        self.world.speed = speed

    @rule(count=st.integers(1, 4))
    def make(self, count: int) -> None:
        for _ in range(count):
            self.world.make()

    @rule()
    def render(self) -> None:
        self.world.render()

    @rule(count=st.integers(1, 12))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            self.world.deliver()

    @rule(seconds=st.sampled_from((0.01, 0.02, 0.1, 0.3, 3.0, 20.0)))
    def wait(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule()
    def expire(self) -> None:
        self.world.flow_control.expire()

    @rule(place=st.integers(0, len(KEYS) - 1), mine=st.booleans())
    def replace_file(self, place: int, mine: bool) -> None:
        key = KEYS[self.place if mine else place]
        self.world.generation[key] += 1
        for request in [request for request in self.world.made if request.key == key]:
            del self.world.made[request]
        self.world.scheduler.renew(key)

    @precondition(lambda self: self.graphics == "kitty")
    @rule(number=st.integers(1, 30))
    def forget(self, number: int) -> None:
        """The terminal loses a picture that is not on the screen."""
        image = self.world.kitty.images.get(number)
        if image is not None and not image.placed:
            self.world.kitty.forget(number)

    @precondition(lambda self: self.graphics == "kitty")
    @rule()
    def stop_and_go_on(self) -> None:
        self.world.render()
        while self.world.deliver():
            pass
        self.world.kitty.images.clear()
        self.world.scheduler.terminal_forgot()

    @rule()
    def rest(self) -> None:
        if not self.covered:
            self.check()

    def teardown(self) -> None:
        if self.covered:
            self.dialog()
        self.check()

    def check(self) -> None:
        world = self.world
        world.come_to_rest()
        wanted = KEYS[self.place], LOOKS[self.look], PANELS[self.panel]
        seen = world.seen
        assert seen is not None and seen.picture is not None
        assert (seen.request.key, seen.request.display, seen.request.panel) == wanted
        assert not seen.picture.is_coarse and not world.refused
        if self.graphics == "kitty":
            assert world.kitty.shown == colour(seen.picture.image_id)
            request, generation = world.drawn[seen.picture.image_id - 1]
            assert (request, generation) == (seen.request, world.generation[request.key]), (
                "of the file as it is"
            )
            assert len(world.kitty.images) <= KEPT + 1


@pytest.mark.parametrize("graphics", ["half", "sixel", "iterm2", "kitty"])
def test_every_order_of_events_ends_with_the_fine_picture_of_the_image(graphics: Graphics) -> None:
    machine = type("Events", (Events,), {"graphics": graphics})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
