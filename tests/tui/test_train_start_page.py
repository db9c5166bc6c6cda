"""The first page of the form of a training, and what a person sees of faults, time and slides there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from disc_support import draw_disc
from test_train_screen import FakeClock, command, form, line, no_helpers, settle, text, to_field, to_section
from tui_support import make_context, press, run, type_text, wait_until

from mia_tui.config.train import TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.runs.machine.gpus import Gpu
from mia_tui.runs.preflight.duration import Forecast
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.training import check_screen, preview
from mia_tui.tui.training.config_form import FormPanel, RoomChanged
from mia_tui.tui.training.pickers import recipes
from mia_tui.tui.training.screen import TrainScreen

__all__ = ["no_helpers"]  # a fixture for all tests here

HUGE = 200, 60
WIDE = 120, 40


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Discs of two classes, in names like slide3_7.png: twelve slides of four images."""
    root = tmp_path / "cells"
    for number in range(48):
        red = number % 2 == 0
        name = f"slide{number // 4}_{number}.png"
        draw_disc(root / ("red" if red else "blue"), name, size_px=40, red=red, seed=number)
    return root


def words(pilot: Any, place: str = "") -> str:
    """What stands on the screen, or in a widget, in one line and without the lines of panels."""
    rows = text(pilot).splitlines()
    if place:
        region = pilot.app.screen.query_one(place).region
        rows = [row[region.x : region.right] for row in rows[region.y : region.bottom]]
    return " ".join("".join(each for each in "\n".join(rows) if each not in "│╭╮╰╯─").split())


def cursor_name(pilot: Any) -> str:
    return str(pilot.app.screen.cursor.name)


def test_the_form_opens_at_a_page_in_plain_words_from_which_one_key_starts(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            said = words(pilot)
            assert "36 images of 2 classes, by the names of folders: blue 12 and red 24." in said
            assert "29 are learned from, 7 show how good it is." in said
            for title in ("What to learn", "How large", "How long", "On what"):
                assert title in said
            assert "‹ usual: resnet18 ›" in said and "epochs 20" in said
            assert "Takes about 12 minutes (an estimate)." in said
            assert "There is no NVIDIA GPU on this machine, so training runs on the CPU." in said
            assert text(pilot).splitlines()[-1].startswith("F5 Start")
            assert "F5 starts. PgDn shows all settings." in said
            await press(pilot, "f5")
            await settle(pilot)
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)  # type: ignore[attr-defined]
            made = pilot.app.result  # type: ignore[attr-defined]
            assert isinstance(made, RunDir)
            assert made.job().config == TrainConfig()

    run(test())


def test_the_size_of_the_network_is_chosen_without_knowing_its_name(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await press(pilot, "down")
            assert cursor_name(pilot) == "backbone"
            await press(pilot, "right")
            assert "‹ large and slow: resnet50 ›" in words(pilot)
            assert "--backbone resnet50" in command(pilot)
            await press(pilot, "right")
            assert "--backbone resnet50" in command(pilot), "it ends there"
            await press(pilot, "left", "left")
            assert "‹ small, quick: mobilenet ›" in words(pilot)
            await press(pilot, "enter")
            await settle(pilot)
            assert "large and slow: resnet50, 24 million numbers, 2.3 times the work" in words(pilot)
            await press(pilot, "end", "enter")
            await settle(pilot)
            await type_text(pilot, "vgg19")
            await press(pilot, "enter")
            assert "‹ vgg19 ›" in words(pilot)
            assert "Now it is vgg19: chosen from the list of all networks" in words(pilot)

    run(test())


def test_the_size_of_images_is_one_field_and_a_copied_command_has_it(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await press(pilot, "down", "down")
            await type_text(pilot, "320x240")
            assert command(pilot) == "--size 320x240"
            await to_section(pilot, "Input")
            assert "320x240" in line(pilot, "size") and "width" not in line(pilot, "size")

    run(test())


def test_minutes_are_an_estimate_until_steps_were_timed_here(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            assert "Takes about 12 minutes (an estimate)." in words(pilot)
            clock = pilot.app.screen._clock  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: bool(clock.wanted))
            clock.forecast_of = Forecast(300.0, "measured here")
            clock.on_news()
            await wait_until(pilot, lambda: "Takes about 5 minutes (measured here)." in words(pilot))
            count = len(clock.wanted)
            await to_section(pilot, "Run")
            await settle(pilot)
            assert len(clock.wanted) == count, "nothing is timed that nobody looks at"

    monkeypatch.setattr(FakeClock, "forecast_of", Forecast(700.0, "an estimate"))
    run(test())


def test_the_recipe_that_suits_is_named_with_the_reason_and_one_key_loads_it(discs: Path) -> None:
    async def test() -> None:
        async with form(discs, size=WIDE) as pilot:
            said = words(pilot, "#train-form")
            assert "Recipe finetune (Ctrl+R) suits better, and takes " in said
            assert "With 29 images to learn from, a network that begins with ImageNet weights" in said
            await press(pilot, "down", "right")
            assert "resnet50 begins with nothing here, and 29 images are few" in words(pilot, "#train-form")
            await to_field(pilot, "size")
            await type_text(pilot, "96")
            await press(pilot, "ctrl+r", "enter")
            await settle(pilot)
            assert "--backbone efficientnetlite0 --weights imagenet" in command(pilot)
            assert "--size 96" in command(pilot)
            await to_section(pilot, "Network")
            await press(pilot, "pageup")
            assert "suits better" not in words(pilot, "#train-form")

    run(test())


def test_a_set_that_cannot_be_trained_on_says_so_and_no_time(tmp_path: Path) -> None:
    draw_disc(tmp_path / "cells" / "red", "1.png", size_px=40, red=True, seed=1)

    async def test() -> None:
        async with form(tmp_path / "cells") as pilot:
            assert "It is not known how long that takes." in words(pilot)
            assert "cannot train yet" in words(pilot)

    run(test())


@pytest.mark.parametrize("size", [(80, 24), WIDE, HUGE])
def test_a_fault_is_wrapped_and_readable_to_its_end(discs: Path, size: tuple[int, int]) -> None:
    sentence = (
        "group by '(' is not a regular expression: missing ), unterminated subpattern at position 0. Example: "
        "group by 'slide([0-9]+)_' keeps the images of a slide together."
    )

    async def test() -> None:
        async with form(discs, size=size) as pilot:
            await to_field(pilot, "group_by")
            await press(pilot, "(")
            form_lines = pilot.app.screen.query_one("#train-form")._items  # type: ignore[attr-defined]
            faults = [each.title for each in form_lines if each.kind in ("fault", "more")]
            assert " ".join(faults) == sentence
            shown = text(pilot)
            assert all(each in shown for each in faults), "none of its lines is cut"

    run(test())


def test_a_fault_on_the_first_page_stands_at_its_field(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await press(pilot, "down", "down")
            await type_text(pilot, "4")
            assert "✗ Size is 4 pixels. It must be at least 8." in words(pilot)
            await press(pilot, "f5")
            assert "Correct this first; nothing was started." in words(pilot)
            assert cursor_name(pilot) == "size"

    run(test())


def test_names_of_slides_are_noticed_and_one_key_keeps_each_slide_in_one_part(slides: Path) -> None:
    async def test() -> None:
        async with form(slides) as pilot:
            said = "File names look like 12 slides (such as slide0); images of one slide in both training and"
            assert said in words(pilot)
            assert "F8 keeps each slide in one part." in words(pilot)
            await press(pilot, "f8")
            await settle(pilot)
            assert command(pilot) == "--group-by 'slide[0-9]+'"
            assert "File names look like" not in words(pilot)
            await press(pilot, "f8")
            assert "that are not kept together already" in words(pilot)

    run(test())


def test_where_a_split_is_stored_the_command_for_a_new_one_is_named(slides: Path) -> None:
    prepare_training(read_dataset(slides), TrainConfig())

    async def test() -> None:
        async with form(slides, size=HUGE) as pilot:
            wanted = f"`mia-tui labels split {slides} --new --group-by 'slide[0-9]+'`"
            assert wanted.replace(" ", "") in words(pilot, "#train-form").replace(" ", "")
            await press(pilot, "f8")
            assert command(pilot) == ""

    run(test())


def test_names_that_only_count_images_are_not_taken_for_slides(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            assert "File names" not in words(pilot)

    run(test())


class WaitingPreviewer:
    """Notes what it was asked for."""

    def __init__(self, on_sheet: Any, on_ready: Any) -> None:
        self.is_ready, self.idle = False, True
        self.wanted: list[TrainConfig] = []

    def want(self, config: TrainConfig, *more: Any, **options: Any) -> None:
        self.wanted.append(config)

    def close(self) -> None:
        pass


def test_the_preview_says_which_setting_keeps_it_empty_and_minds_no_other(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "Previewer", WaitingPreviewer)

    async def test() -> None:
        async with form(discs, size=WIDE) as pilot:
            previewer = pilot.app.screen.preview._previewer  # type: ignore[attr-defined]
            await to_field(pilot, "size")
            await type_text(pilot, "4")
            await to_section(pilot, "Augmentation")
            await wait_until(pilot, lambda: "No preview: Size is 4 pixels." in words(pilot))
            assert previewer.wanted == []
            await to_field(pilot, "size")
            await press(pilot, "end", "8")
            await to_field(pilot, "epochs")
            await press(pilot, "0")
            await to_section(pilot, "Augmentation")
            await wait_until(pilot, lambda: bool(previewer.wanted))
            assert previewer.wanted[-1].width == 48

    run(test())


def test_to_start_now_comes_first_where_the_machine_is_free(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare_training(read_dataset(discs), TrainConfig(), given=()).create()
    monkeypatch.setattr(check_screen, "last_in_line", lambda runs: first)
    free = Gpu("GPU-b", "NVIDIA B", 80_000_000_000, 79_000_000_000, 0, "550")
    monkeypatch.setattr(check_screen, "list_gpus", lambda: [free])

    async def test() -> None:
        async with form(discs) as pilot:
            await press(pilot, "f5")
            await settle(pilot)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "When should it start?" in text(pilot))
            assert "but a GPU is free (NVIDIA B" in words(pilot, ".dialog")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)  # type: ignore[attr-defined]
            assert pilot.app.result.job().after is None  # type: ignore[attr-defined]

    run(test())


def test_a_run_on_another_computer_leaves_this_machine_free(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = prepare_training(read_dataset(discs), TrainConfig(), given=()).create()
    monkeypatch.setattr(check_screen, "list_gpus", list)
    assert check_screen.why_free(TrainConfig(), ahead) == ""
    record = type("Record", (), {"host": "server7"})
    monkeypatch.setattr(check_screen, "read_record", lambda run: record)
    assert check_screen.why_free(TrainConfig(), ahead) == "on another computer (server7)"


def test_what_stands_beside_the_fields_is_made_for_the_room_it_has(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await press(pilot, "pageup", "pageup")
            await wait_until(
                pilot, lambda: "blue 10 2 0 red 19 5 0 all 29 7 0" in words(pilot, "#train-side")
            )

    run(test())


def test_in_a_large_window_fields_explanation_and_images_stand_side_by_side(discs: Path) -> None:
    async def test() -> None:
        async with form(discs, size=HUGE) as pilot:
            screen = pilot.app.screen
            sections, fields, meaning, side = (
                screen.query_one(f"#train-{name}-panel").region
                for name in ("sections", "form", "explanation", "side")
            )
            assert sections.right <= fields.x and fields.right <= meaning.x == side.x
            assert side.right >= HUGE[0] - 1 and side.bottom >= HUGE[1] - 4
            assert fields.width > 80
            assert "What it means" in text(pilot) and "Images" in text(pilot)
            assert "How often the network goes through all images" in words(pilot, "#train-form"), (
                "all explained"
            )
            await to_section(pilot, "Loss and metric")
            assert "if rare classes are missed" not in words(pilot)
            await to_field(pilot, "class_weights")
            assert "Take sqrt or inverse if rare classes are missed" in words(pilot, "#train-explanation")

    run(test())


def test_in_a_window_of_80_columns_every_explanation_is_seen_to_its_end(discs: Path) -> None:
    async def test() -> None:
        async with form(discs, context=replace(make_context(), annotator=None)) as pilot:
            cursor = pilot.app.screen.cursor  # type: ignore[attr-defined]
            for name in [each for section, _ in cursor.sections() for each in cursor.names(section)]:
                await to_field(pilot, name)
                help_ = pilot.app.screen.query_one("#train-help")
                assert help_.virtual_size.height <= help_.size.height, name

    run(test())


def test_the_texts_are_made_once_for_all_parts_that_were_laid_out_together(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_for: list[object] = []
    show = TrainScreen.show

    def counted(self: TrainScreen) -> None:
        show(self)
        made_for.append(1)

    monkeypatch.setattr(TrainScreen, "show", counted)

    async def test() -> None:
        async with form(discs, size=HUGE) as pilot:
            await pilot.pause()
            before = len(made_for)
            for panel in pilot.app.screen.query(FormPanel):
                panel.post_message(RoomChanged())
            await pilot.pause()
            assert before and len(made_for) == before

    run(test())


def test_each_recipe_has_one_line_of_a_narrow_terminal() -> None:
    choices = recipes(make_context().ink, "finetune")._choices
    assert [choice.value for choice in choices] == list(RECIPES)
    assert max(len(choice.text) for choice in choices) <= 70, "the list at 80 columns"
