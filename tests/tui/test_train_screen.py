"""The form of a training: typed, checked, started, left."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from run_support import make_predict_job
from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot
from tui_support import (
    SMALL,
    TERMINAL,
    burst,
    make_context,
    make_images,
    press,
    run,
    running,
    screen_text,
    type_text,
    wait_until,
)
from tui_support import settle as settle_commands

import mia_tui.tui
from mia_tui.config.fields import fields
from mia_tui.config.train import TrainConfig
from mia_tui.config.user.settings import UserConfig
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, user_jobs
from mia_tui.runs.machine.gpus import Gpu
from mia_tui.runs.machine.torch_probe import TorchFacts
from mia_tui.runs.preflight.duration import Forecast
from mia_tui.runs.preflight.prepare import Prepared, keep_split, prepare_training, read_dataset
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.training import check_screen, machine, pickers, preview
from mia_tui.tui.training import screen as training_screen
from mia_tui.tui.training.screen import TrainScreen

WIDE = 120, 40


class FormApp(App[None]):
    """The form alone. `ended` says whether it was left, `result` with what."""

    CSS_PATH = Path(mia_tui.tui.__file__).with_name("app.tcss")

    def __init__(self, place: OpenDataset, context: Context, **options: Any) -> None:
        super().__init__()
        self.context, self.flow_control = context, context.flow_control
        self._place, self._options = place, options
        self.ended, self.result = False, None

    def on_mount(self) -> None:
        self.push_screen(TrainScreen(self._place, self.context, **self._options), self._end)

    def _end(self, result: Any) -> None:
        self.ended, self.result = True, result


class FakeClock:
    """Times nothing; a test says what was measured."""

    forecast_of: Forecast | None = Forecast(700.0, "an estimate")
    times = None

    def __init__(self, root: Path, on_news: Any) -> None:
        self.on_news = on_news
        self.wanted: list[TrainConfig] = []

    def want(self, config: TrainConfig, estimate: Any) -> bool:
        self.wanted.append(config)
        return False

    def forecast(self, config: TrainConfig, estimate: Any, *, has_gpu: bool) -> Forecast | None:
        return self.forecast_of

    def close(self) -> None:
        pass


@asynccontextmanager
async def form(
    dataset: Path, *, size: tuple[int, int] = SMALL, context: Context | None = None, **options: Any
) -> AsyncIterator[Pilot[None]]:
    place = OpenDataset(dataset, None, "ann")
    context = context or replace(make_context(), annotator=None)
    async with running(FormApp(place, context, **options), size=size) as pilot:
        await settle(pilot)
        yield pilot


@pytest.fixture(autouse=True)
def no_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU is looked for, no worker started, no step timed."""
    monkeypatch.setattr(machine, "list_gpus", list)
    monkeypatch.setattr(machine, "nvidia_device_present", lambda: False)
    monkeypatch.setattr(check_screen, "start_run", create_only)
    monkeypatch.setattr(training_screen, "StepClock", FakeClock)


def create_only(prepared: Prepared, *, annotator: str | None, after: RunDir | None) -> RunDir:
    return keep_split(prepared, annotator).create(after=after)


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until commands are obeyed and what the data say is known."""
    await settle_commands(pilot)
    screen = pilot.app.screen
    if isinstance(screen, TrainScreen):
        await wait_until(pilot, lambda: screen.idle)
    await pilot.pause()


def command(pilot: Pilot[Any]) -> str:
    """The command line, without the folder."""
    screen = pilot.app.screen
    assert isinstance(screen, TrainScreen)
    return " ".join(screen.command.split()[3:])


def text(pilot: Pilot[Any]) -> str:
    return screen_text(pilot.app)


def line(pilot: Pilot[Any], title: str) -> str:
    return next(row for row in text(pilot).splitlines() if row[1:].lstrip(" *").startswith(title))


async def to_section(pilot: Pilot[Any], section: str) -> None:
    await to_field(pilot, next(field.name for field in fields() if field.group == section))


async def to_field(pilot: Pilot[Any], name: str) -> None:
    """Put the cursor on a field; that keys reach each is a test of its own."""
    screen = pilot.app.screen
    assert isinstance(screen, TrainScreen)
    screen.cursor.go_to(name)
    screen.show()
    await pilot.pause()


def test_every_field_that_matters_is_reached_by_one_key_and_fits_80_columns(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            seen = set()
            cursor = pilot.app.screen.cursor  # type: ignore[attr-defined]
            for _ in range(len(fields()) + 10):
                seen.add(cursor.name)
                assert "▸" in text(pilot), cursor.name
                await press(pilot, "tab")
            assert seen == {field.name for field in fields() if cursor.form.matters(field.name)}

    run(test())


def test_counts_of_classes_and_parts_are_shown_and_nothing_is_written(discs: Path) -> None:
    before = sorted(discs.parent.rglob("*"))

    async def test() -> None:
        async with form(discs) as pilot:
            await to_section(pilot, "Data")
            assert "2 classes from folder names" in text(pilot)
            assert "29 to train, 7 to validate" in text(pilot)
            await to_field(pilot, "val_fraction")
            await type_text(pilot, "0.5")
            await settle(pilot)
            assert "18 to train, 18 to validate" in text(pilot)

    run(test())
    assert sorted(discs.parent.rglob("*")) == before


def test_a_fault_is_said_at_its_field_in_words_with_the_key_that_made_it(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "epochs")
            await press(pilot, "0")
            rows = text(pilot).splitlines()
            at = next(number for number, row in enumerate(rows) if "epochs" in row and "▸" in row)
            assert "Epochs is 0. It must be at least 1." in rows[at + 1]
            assert "1 error" in rows[0]
            await press(pilot, "backspace", "3")
            assert "must be" not in text(pilot)
            assert "--epochs 3" in command(pilot)

    run(test())


def test_the_key_that_shows_a_fault_is_the_one_in_force(discs: Path) -> None:
    async def test() -> None:
        for keys, said in (({}, "F5"), ({"train.start": ("f9",)}, "F9")):
            context = replace(make_context(user=UserConfig(keys=keys)), annotator=None)
            async with form(discs, context=context) as pilot:
                await to_field(pilot, "epochs")
                await press(pilot, "0")
                assert f"1 error: {said} shows the first" in text(pilot)

    run(test())


def test_starting_with_a_fault_goes_to_it_and_starts_nothing(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "epochs")
            await press(pilot, "0", "pageup", "pageup", "f5")
            assert pilot.app.screen.cursor.name == "epochs"  # type: ignore[attr-defined]
            assert "Correct this first; nothing was started." in text(pilot)

    run(test())


def test_fields_without_effect_are_not_shown(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "loss")
            assert "focal gamma" not in text(pilot)
            await press(pilot, "right")
            assert "focal gamma" in text(pilot)

    run(test())


def test_the_fields_of_the_input_say_what_the_images_have(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "channels")
            assert "The first image has red, green and blue." in text(pilot)
            await to_field(pilot, "intensity")
            assert "The first image has 8 bits." in text(pilot)
            await to_field(pilot, "pixel_size")
            assert "does not say how large its pixels are" in text(pilot)

    run(test())


def test_a_network_is_found_by_typing_some_of_its_name(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "backbone")
            await press(pilot, "v")
            await type_text(pilot, "gg19")
            await settle(pilot)
            assert "20.0 M 19.51 G     224    32  72.4  no" in text(pilot)
            await press(pilot, "enter")
            assert "‹ vgg19 ›" in line(pilot, "backbone")
            assert "BSD-3-Clause" in text(pilot)
            await press(pilot, "enter")
            await type_text(pilot, "timm:resnet10t")
            await press(pilot, "enter")
            assert "--backbone timm:resnet10t" in command(pilot)

    run(test())


def test_lists_open_at_what_is_chosen_and_escape_changes_nothing(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "metric")
            await press(pilot, "enter")
            await settle(pilot)
            assert "mcc: Matthews correlation coefficient" in text(pilot)
            await press(pilot, "escape")
            assert "‹ loss ›" in line(pilot, "metric")
            await press(pilot, "enter", "up", "enter")
            assert "‹ mcc ›" in line(pilot, "metric")

    run(test())


def test_weights_of_this_disk_come_first(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(pickers, "weights_here", lambda name: name == "resnet18")

    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "weights")
            await press(pilot, "enter")
            rows = text(pilot).splitlines()
            first = next(row for row in rows if "imagenet: learnt" in row)
            assert "on this disk" in first
            assert rows.index(first) < next(n for n, row in enumerate(rows) if "none: start from" in row)

    run(test())


def test_class_weights_are_shown_in_numbers_and_a_wrong_class_at_the_field(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "class_weights")
            await type_text(pilot, "inverse")
            await settle(pilot)
            rows = [row.split()[-3:] for row in text(pilot).splitlines()]
            assert ["blue", "10", "1.45"] in rows
            await press(pilot, "home", "ctrl+u", "end", "ctrl+u")
            await type_text(pilot, "green=2")
            await settle(pilot)
            assert "class weights: there is no class 'green'." in text(pilot).replace("\n", " ")

    run(test())


def test_the_command_is_shown_and_copied(discs: Path) -> None:
    copied: list[str] = []

    async def test() -> None:
        async with form(discs) as pilot:
            pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
            await to_field(pilot, "batch_size")
            await type_text(pilot, "8")
            await press(pilot, "f6")
            assert "Copied" in text(pilot)

    run(test())
    assert copied == [f"mia-tui train {discs} --batch-size 8"]


def test_settings_are_saved_and_loaded(discs: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"

    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "batch_size")
            await press(pilot, "8", "ctrl+s", "ctrl+u")
            await type_text(pilot, str(file))
            await press(pilot, "enter")
            assert "Saved" in text(pilot)
            await press(pilot, "ctrl+r", "enter")
            assert "recipe finetune" in text(pilot), "the one that suits"
            assert "--batch-size" not in command(pilot)
            await press(pilot, "ctrl+o", "ctrl+u")
            await type_text(pilot, str(file))
            await press(pilot, "enter")
            assert "--batch-size 8" in command(pilot)

    run(test())
    assert "batch_size = 8" in file.read_text()


def test_a_file_that_cannot_be_loaded_is_a_sentence_and_changes_nothing(discs: Path, tmp_path: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "batch_size")
            await press(pilot, "8", "ctrl+o", "ctrl+u")
            await type_text(pilot, str(tmp_path / "no.toml"))
            await press(pilot, "enter")
            assert "There is no settings file" in text(pilot)
            assert "--batch-size 8" in command(pilot)

    run(test())


def test_a_start_checks_first_then_stores_the_split_and_ends_with_the_run(discs: Path) -> None:
    async def test() -> None:
        async with form(discs, base=TrainConfig(width=32, height=32)) as pilot:
            await press(pilot, "f5")
            await settle(pilot)
            assert "Checked all 36 labelled images." in text(pilot)
            assert not discs.with_name("discs.mia").exists()
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)  # type: ignore[attr-defined]
            made = pilot.app.result  # type: ignore[attr-defined]
            assert isinstance(made, RunDir)
            assert made.job().config.width == 32
            assert made.job().command == f"mia-tui train {discs} --size 32"
            assert made.job().after is None
            assert (discs.with_name("discs.mia") / "labels.db").exists()

    run(test())


def test_what_would_hurt_is_listed_and_escape_goes_back_to_the_form(discs: Path) -> None:
    (discs / "red" / "cell-0.png").write_bytes(b"no image")

    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "epochs")
            await press(pilot, "7", "f5")
            await settle(pilot)
            assert "1 image cannot be read: red/cell-0.png" in text(pilot)
            assert "Enter starts anyway" in text(pilot)
            await press(pilot, "escape")
            assert not pilot.app.ended  # type: ignore[attr-defined]
            assert "--epochs 7" in command(pilot)

    run(test())


def test_a_prediction_kept_in_the_users_folder_counts_as_a_run_ahead(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare_training(read_dataset(discs), TrainConfig(), given=())
    training, place = prepared.create(), user_jobs(discs)
    prediction = RunDir.create(place, make_predict_job(place.root), name="predict")
    monkeypatch.setattr(check_screen, "last_in_line", lambda runs: list(runs))
    assert check_screen._run_ahead(prepared) == [training, prediction]
    elsewhere = replace(
        prepared, dataset=replace(prepared.dataset, state=StateFolder(discs.parent / "state"))
    )
    assert check_screen._run_ahead(elsewhere) == []


def test_a_live_run_lets_the_new_one_queue_behind_it(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare_training(read_dataset(discs), TrainConfig(), given=()).create()
    monkeypatch.setattr(check_screen, "last_in_line", lambda runs: first)

    async def test() -> None:
        async with form(discs) as pilot:
            await press(pilot, "f5")
            await settle(pilot)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "When should it start?" in text(pilot))
            await press(pilot, "escape")
            assert "Checked all" in text(pilot)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "When should it start?" in text(pilot))
            assert first.name in text(pilot) and "After that run" in text(pilot)
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)  # type: ignore[attr-defined]
            assert pilot.app.result.job().after == str(first.path.resolve())  # type: ignore[attr-defined]

    run(test())


def test_a_run_that_cannot_start_is_one_sentence_and_nothing_is_lost(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(prepared: Prepared, *, annotator: str | None, after: RunDir | None) -> RunDir:
        raise RunError("The worker ended at once: no memory.", "Its log says more.")

    monkeypatch.setattr(check_screen, "start_run", fail)

    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "epochs")
            await press(pilot, "7", "f5")
            await settle(pilot)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "no memory" in text(pilot))
            await press(pilot, "escape")
            assert "--epochs 7" in command(pilot)

    run(test())


@pytest.mark.parametrize("classes", [[], ["round"]])
def test_a_dataset_that_cannot_be_trained_on_says_so_before_and_at_the_start(
    tmp_path: Path, classes: list[str]
) -> None:
    dataset = make_images(tmp_path / "images", 4, classes=classes)

    async def test() -> None:
        async with form(dataset) as pilot:
            await to_section(pilot, "Data")
            assert "cannot train yet" in text(pilot)
            await press(pilot, "f5")
            await settle(pilot)
            assert "label" in text(pilot)
            assert "Esc goes back to the form" in text(pilot)

    run(test())


def test_leaving_keeps_what_was_typed_for_the_next_time(discs: Path) -> None:
    context = replace(make_context(), annotator=None)

    async def test() -> None:
        async with form(discs, context=context) as pilot:
            await to_field(pilot, "epochs")
            await press(pilot, "7", "escape")
            assert pilot.app.ended  # type: ignore[attr-defined]
            assert pilot.app.result is None  # type: ignore[attr-defined]
        async with form(discs, context=context) as pilot:
            assert "--epochs 7" in command(pilot)
        async with form(discs, context=context, base=TrainConfig(epochs=9), title="Run again") as pilot:
            assert "--epochs 9" in command(pilot)
            assert "Run again" in text(pilot)

    run(test())


def test_a_stored_split_fills_in_its_fields_and_refuses_others_there(discs: Path) -> None:
    prepare_training(read_dataset(discs), TrainConfig(val_fraction=0.3), given=("val_fraction",))

    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "val_fraction")
            assert "0.3" in line(pilot, "val fraction")
            await type_text(pilot, "0.1")
            await settle(pilot)
            assert "This dataset was split with val fraction 0.3, not 0.1." in text(pilot)
            await press(pilot, "ctrl+d")
            await settle(pilot)
            assert "0.3" in line(pilot, "val fraction")

    run(test())


def test_why_there_is_no_gpu_is_said(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_section(pilot, "Run")
            assert "There is no NVIDIA GPU" in text(pilot)

    run(test())


def test_gpus_are_listed_with_memory_load_and_whether_they_are_busy_in_the_order_of_torch(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [
        Gpu("GPU-a", "NVIDIA A", 80_000_000_000, 8_000_000_000, 97, "550"),
        Gpu("GPU-b", "NVIDIA B", 80_000_000_000, 79_000_000_000, 0, "550"),
    ]
    monkeypatch.setattr(machine, "list_gpus", lambda: cards)
    monkeypatch.setattr(machine, "_torch", lambda: TorchFacts(torch="2.9", gpus=("b", "a")))

    async def test() -> None:
        async with form(discs, size=WIDE) as pilot:
            await to_field(pilot, "device")
            await press(pilot, "enter")
            await settle(pilot)
            assert "cuda:0: NVIDIA B, 79.0 of 80.0 GB free, load 0 %" in text(pilot)
            assert "cuda:1: BUSY: NVIDIA A, 8.0 of 80.0 GB free, load 97 %" in text(pilot)
            await type_text(pilot, "cuda:1")
            await press(pilot, "enter")
            assert "--device cuda:1" in command(pilot)

    run(test())


def test_at_80_columns_eight_gpus_are_seen_and_no_help_is_cut(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [
        Gpu(f"GPU-{n}", "NVIDIA H100 80GB HBM3", 80_000_000_000, 8_000_000_000, 97, "550") for n in range(8)
    ]
    monkeypatch.setattr(machine, "list_gpus", lambda: cards)
    monkeypatch.setattr(machine, "_torch", lambda: TorchFacts(torch="2.9", gpus=tuple(map(str, range(8)))))

    async def test() -> None:
        async with form(discs, title="Train on from " + "n" * 70) as pilot:
            assert "29 to train, 7 to validate" in text(pilot), "a long title gives way"
            await to_section(pilot, "Network")
            assert "Apache-2.0." in text(pilot), "the last word about the network"
            await to_section(pilot, "Optimizer")
            assert "0.001 by default" in text(pilot)
            await to_section(pilot, "Run")
            await wait_until(pilot, lambda: "cuda:7: BUSY: 8.0 GB free" in text(pilot))

    run(test())


def test_what_keeps_torch_from_the_gpu_is_said(discs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "nvidia_device_present", lambda: True)
    monkeypatch.setattr(machine, "_torch", lambda: TorchFacts(warning="the driver 450 cannot run CUDA 13"))

    async def test() -> None:
        async with form(discs, size=WIDE) as pilot:
            await to_section(pilot, "Run")
            await wait_until(pilot, lambda: "The GPU is not used: the driver 450" in text(pilot))

    run(test())


def test_without_colours_and_unicode_everything_is_ascii_and_the_cursor_is_seen(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = replace(TERMINAL, graphics="none", colours="none", unicode=False)

    async def test() -> None:
        async with form(discs, context=replace(make_context(terminal), annotator=None)) as pilot:
            assert pilot.app.no_color
            await to_field(pilot, "epochs")
            await press(pilot, "0")
            shown = text(pilot)
            assert "x Epochs is 0" in shown
            assert ">*epochs" in shown
            assert [
                character for row in shown.splitlines()[:-1] for character in row if ord(character) > 126
            ] == []
            await press(pilot, "backspace", "2")
            await to_section(pilot, "Augmentation")
            await wait_until(pilot, lambda: "Images are not shown" in text(pilot))

    run(test())


def test_the_mouse_goes_to_a_field_turns_a_switch_and_picks_a_section(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await pilot.click("#train-tabs", offset=(19, 0))
            assert "▸ size" in text(pilot)
            row = next(n for n, each in enumerate(text(pilot).splitlines()) if "colour" in each)
            await pilot.click("#train-form", offset=(20, row - 2))
            await settle(pilot)
            assert "--mono" in command(pilot)

    run(test())


class FakePreviewer:
    """Says what it was asked for, and never answers."""

    def __init__(self, on_sheet: Any, on_ready: Any) -> None:
        self.on_sheet, self.on_ready = on_sheet, on_ready
        self.is_ready, self.idle = False, True
        self.wanted: list[tuple[Any, ...]] = []
        self.closed = False

    def want(self, *request: Any, **more: Any) -> None:
        self.wanted.append(request)

    def close(self) -> None:
        self.closed = True


def test_the_preview_says_that_torch_is_loading_and_never_holds_up_typing(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "Previewer", FakePreviewer)

    async def test() -> None:
        async with form(discs) as pilot:
            previewer = pilot.app.screen.preview._previewer  # type: ignore[attr-defined]
            assert previewer.wanted == []
            await to_section(pilot, "Augmentation")
            await wait_until(pilot, lambda: bool(previewer.wanted))
            assert "Loading torch" in text(pilot)
            await to_field(pilot, "blur")
            await press(pilot, "1")
            assert "--blur 1" in command(pilot)
            await wait_until(pilot, lambda: previewer.wanted[-1][0].blur == 1.0)
            rows = previewer.wanted[-1][2]
            assert all(sample.split == "train" for _, sample in rows)
            count = len(previewer.wanted)
            await press(pilot, "f7")
            assert len(previewer.wanted) == count + 1
            assert previewer.wanted[-1][2] != rows
        assert previewer.closed

    run(test())


def test_a_pasted_text_goes_into_the_field_as_one_inert_line(discs: Path) -> None:
    async def test() -> None:
        async with form(discs) as pilot:
            await to_field(pilot, "group_by")
            pilot.app.screen.post_message(Paste("slide\x1b[31m([0-9]+)\n"))
            await pilot.pause()
            assert "slide[31m([0-9]+)" in command(pilot)

    run(test())


def test_keys_that_come_in_one_burst_go_to_the_field_they_were_meant_for(discs: Path) -> None:
    async def test() -> None:
        async with form(discs, size=WIDE) as pilot:
            await burst(
                pilot, "pagedown", "pagedown", "ctrl+u", "3", "2", "down", "right", "up", "end", "x", "4", "8"
            )
            await settle(pilot)
            assert command(pilot) == "--size 32x48 --mono"

    run(test())


def test_settings_of_a_run_that_are_left_again_do_not_take_the_place_of_what_was_typed(discs: Path) -> None:
    context = replace(make_context(), annotator=None)

    async def test() -> None:
        async with form(discs, size=WIDE, context=context) as pilot:
            await burst(pilot, "pagedown", "pagedown", "ctrl+u", "6", "4", "escape")
        async with form(discs, size=WIDE, context=context, base=TrainConfig(epochs=7)) as pilot:
            assert command(pilot) == "--epochs 7"
            await press(pilot, "escape")
        async with form(discs, size=WIDE, context=context) as pilot:
            assert command(pilot) == "--size 64"

    run(test())


def test_a_command_that_needs_more_lines_than_there_are_names_every_option(
    discs: Path, tmp_path: Path
) -> None:
    far = tmp_path / ("a-folder-with-a-name-of-many-letters-" + "x" * 25) / "discs"
    far.parent.mkdir()
    discs.rename(far)

    async def test() -> None:
        async with form(far, base=TrainConfig(width=32, height=32, epochs=2, batch_size=8)) as pilot:
            await to_section(pilot, "Run")
            shown = " ".join(text(pilot).split())
            assert "/discs --size 32 --epochs 2 --batch-size 8" in shown
        long = TrainConfig(
            width=32, height=32, epochs=2, loss="focal", optimizer="adamw", class_weights="balanced",
            label_smoothing=0.125, drop_rate=0.25, schedule="step", metric="accuracy", weight_decay=0.0625,
        )  # fmt: skip
        async with form(far, base=long) as pilot:
            await to_section(pilot, "Run")
            assert any(row.endswith("…") for row in text(pilot).splitlines()), "what is cut is said to be"

    run(test())
