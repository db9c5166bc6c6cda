"""The tour of the demo: says what to press, notices what was really done, and covers nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_support import finished, make_run, started
from textual.pilot import Pilot
from tui_support import make_context, make_images, opened, press, run, screen_text, type_text, wait_until

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.runs.record.log import EventLog
from mia_tui.tui.context import Context
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.tour.tour import STEPS, Tour


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = make_images(tmp_path / "cells", 6, classes=["round", "flat"])
    done = make_run(folder / "mia", created_at=1e9)
    with EventLog(done.events) as log:
        for event in (started(), finished(t=1e10)):
            log.append(event)
    return folder


def with_tour(cells: Path, *, user: UserConfig | None = None, done: Sequence[str] = ()) -> Context:
    tour = Tour(cells / "mia" / "tour")
    for name in done:
        tour.did(name)
    return replace(make_context(user=user), tour=tour)


def before(name: str) -> list[str]:
    """The steps before one."""
    names = [step.name for step in STEPS]
    return names[: names.index(name)]


async def see(pilot: Pilot[Any], *words: str) -> None:
    await wait_until(pilot, lambda: all(word in " ".join(screen_text(pilot.app).split()) for word in words))


def test_each_step_has_its_words_on_the_screens_it_leads_to_and_its_keys_are_commands_there() -> None:
    assert len(STEPS) == 6
    for step in STEPS:
        assert "label" in step.words
        for scope, words in step.words.items():
            for name in (part.split("}")[0] for part in words.split("{")[1:]):
                where, _, command = name.rpartition(".")
                assert command in SCOPES[where or scope].keys, (step.name, scope)


def test_labelling_the_grid_and_the_runs_are_noticed_when_they_were_really_done(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, context=with_tour(cells), size=(120, 40)) as pilot:
            await see(pilot, "Tour: 1 of 6, Label", "then F2 gives it")
            await press(pilot, "right", "1", "f1")
            await see(pilot, "Tour: 1 of 6")
            await press(pilot, "f2")
            await see(pilot, "Tour: 2 of 6, Many at once", "✓ Label", "F7 shows many images")
            await press(pilot, "f7")
            await see(pilot, "Space marks an image")
            await press(pilot, "escape")
            await see(pilot, "Tour: 3 of 6, Train", "Ctrl+T opens the form")
            await press(pilot, "ctrl+t")
            await see(pilot, "F5 checks the images")
            await press(pilot, "escape")
            await see(pilot, "Tour: 3 of 6")  # nothing was started
            await press(pilot, "ctrl+u", "enter", "escape")
            await see(pilot, "Tour: 3 of 6", "✓ Watch")
            assert Tour(cells / "mia" / "tour").step == 2, "kept for the next time"

    run(test())


def test_a_training_that_was_started_is_noticed(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from textual.screen import Screen

    class Form(Screen[Any]):
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()

        def on_mount(self) -> None:
            self.dismiss(made)

    made = make_run(cells / "mia", created_at=1.1e9)
    monkeypatch.setattr("mia_tui.tui.training.screen.TrainScreen", Form)

    async def test() -> None:
        context = with_tour(cells, done=before("train"))
        async with opened(cells, context=context, size=(120, 40)) as pilot:
            await pilot.press("ctrl+t")
            await see(pilot, "Tour: 4 of 6, Watch")

    run(test())


def test_the_run_that_is_shown_when_it_was_started_is_the_step_that_watches_it(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textual.screen import Screen

    class Form(Screen[Any]):
        def __init__(self, *_: Any, **__: Any) -> None:
            super().__init__()

        def on_mount(self) -> None:
            self.dismiss(made)

    made = make_run(cells / "mia", created_at=1.1e9)
    monkeypatch.setattr("mia_tui.tui.training.screen.TrainScreen", Form)

    async def test() -> None:
        context = with_tour(cells, done=before("train"))
        async with opened(cells, context=context, size=(120, 40)) as pilot:
            await pilot.press("ctrl+t")
            await see(pilot, "Its curves move while it learns")
            await press(pilot, "escape")
            await see(pilot, "Tour: 5 of 6, Review", "✓ Watch")

    run(test())


def test_an_accepted_suggestion_is_noticed_and_a_key_without_one_is_not(cells: Path) -> None:
    async def test() -> None:
        context = with_tour(cells, done=before("accept"))
        async with opened(cells, context=context, size=(120, 40)) as pilot:
            await press(pilot, "enter")
            await see(pilot, "There is no suggestion", "Tour: 5 of 6, Review")
            screen: Any = pilot.app.screen
            suggest(screen, "round")
            await press(pilot, "enter")
            await see(pilot, "Tour: 6 of 6, Export")
            await press(pilot, ")")
            await type_text(pilot, "csv")
            await press(pilot, "enter", "enter")
            await see(pilot, "That was the tour.", "F12 opens the manual")

    run(test())


def suggest(screen: LabelScreen, name: str) -> None:
    """Have a model suggest a class for the current image."""
    network = screen.asked_network
    seen: Callable[..., Any] = network.seen
    wanted = screen.session.class_named(name)
    network.seen = lambda key, state: replace(seen(key, state), suggestion=wanted, confidence=0.9)  # type: ignore[method-assign]
    assert isinstance(screen.session.current, ImageKey)


def test_the_keys_in_force_are_named(cells: Path) -> None:
    async def test() -> None:
        user = UserConfig(keys={"assign_next": ("f11",), "grid": ("f19",)}, toast_s=600.0)
        async with opened(cells, context=with_tour(cells, user=user), size=(120, 40)) as pilot:
            await see(pilot, "then F11 gives it")
            await press(pilot, "1", "f11")
            await see(pilot, "F19 shows many images")
            await press(pilot, "f19", "escape")
            await see(pilot, "Tour: 3 of 6")

    run(test())


def test_escape_leaves_it_and_the_palette_or_the_next_start_takes_it_up_again(cells: Path) -> None:
    async def test() -> None:
        context = with_tour(cells)
        async with opened(cells, context=context, size=(120, 40)) as pilot:
            await press(pilot, "1", "f2", "escape")
            await see(pilot, "The tour is left; Ctrl+P, Tour takes it up again.")
            assert "Tour: " not in screen_text(pilot.app)
            tours = [each for each in pilot.app.palette_commands(pilot.app.screen) if each.title == "Tour"]
            tours[0].run()
            await see(pilot, "Tour: 2 of 6")
        async with opened(cells, context=with_tour(cells), size=(120, 40)) as pilot:
            await see(pilot, "Tour: 2 of 6")

    run(test())


def test_escape_first_goes_back_where_there_is_a_way_back(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, context=with_tour(cells), size=(120, 40)) as pilot:
            await press(pilot, "ctrl+f", "0", "0", "1", "enter", "escape")
            await see(pilot, "All images are shown again.", "Tour: 1 of 6")

    run(test())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("keys", [[], ["f7"], ["ctrl+t"], ["ctrl+u"], ["ctrl+u", "enter"]], ids=str)
def test_it_covers_neither_image_nor_list_nor_anything_else(
    cells: Path, size: tuple[int, int], keys: list[str]
) -> None:
    async def test() -> None:
        async with opened(cells, context=with_tour(cells), size=size) as pilot:
            await press(pilot, *keys)
            panel = pilot.app.screen.query_one("#tour")
            await wait_until(pilot, lambda: panel.region.height > 0)
            assert panel.region.y == 0 and panel.region.height <= 5
            for other in pilot.app.screen.children:
                if other is not panel and other.display and other.styles.layer != "_toastrack":
                    assert not panel.region.overlaps(other.region), other
            assert screen_text(pilot.app).splitlines()[-1].strip(), "the last line with its keys is there"

    run(test())


def test_without_a_tour_there_is_no_panel_and_no_command(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            assert not pilot.app.screen.query("#tour")
            assert "Tour" not in [each.title for each in pilot.app.palette_commands(pilot.app.screen)]

    run(test())


def test_a_damaged_record_of_the_tour_is_a_new_tour(tmp_path: Path) -> None:
    (tmp_path / "tour").write_bytes(b"\xff\x00 nonsense")
    assert Tour(tmp_path / "tour").step == 0
    tour = Tour(tmp_path / "none" / "tour")
    for step in STEPS:
        tour.did(step.name)
    assert tour.is_over
    tour.take_up()
    assert tour.step == 0
