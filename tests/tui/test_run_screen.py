"""The screen of a run: what it says, what its keys do, on every kind of terminal."""

import asyncio
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from patience import LONGEST_S
from run_support import epoch_row, finished, make_run, python, started, step, wait_for
from textual.pilot import Pilot
from textual.screen import Screen
from tui_support import (
    SMALL,
    make_context,
    make_images,
    press,
    screen_lines,
    screen_text,
    settle,
    shown,
    told,
    wait_until,
)
from tui_support import (
    run as run_test,
)

from mia_tui.dataset.model import ImageKey
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    NOT_EVALUATED,
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.machine.gpus import Gpu
from mia_tui.runs.record.events import (
    CheckpointSaved,
    ConfusionSaved,
    Failure,
    LeftOut,
    Phase,
    ProgressMade,
    RunEnded,
    TimeUsed,
    Warned,
)
from mia_tui.runs.record.job import JobClass, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.state import RunState
from mia_tui.runs.worker.control import StopFile
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import SLOW_S
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.follow import RunSnapshot
from mia_tui.tui.runs.gallery import GalleryScreen
from mia_tui.tui.runs.run_screen import RunScreen
from mia_tui.tui.runs.words import figures_line

WIDE = 120, 40

# Holds its run until it is killed, whoever asks it to stop.
DEAF = """
    import signal, time
    from pathlib import Path
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.worker.liveness import WorkerLock
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with WorkerLock(RunDir(Path(sys.argv[1]))):
        print("ready", flush=True)
        time.sleep(600)
"""

CELLS = [("a.png", 0, 0), ("b.png", 0, 1), ("c.png", 0, 1), ("d.png", 1, 1), ("e.png", 1, 0)]
"""Image, truth, prediction."""


def write(run: RunDir, *events: Any) -> None:
    with EventLog(run.events) as log:
        for event in events:
            log.append(event)


def a_run(folder: Path, *, classes: Sequence[str] = ("cat", "dog"), with_images: bool = True) -> RunDir:
    """A finished run of three epochs, the second one the best."""
    made = make_run(folder / "mia", created_at=1e9)
    job = msgspec.structs.replace(
        made.job(), classes=[JobClass(n, name) for n, name in enumerate(classes, 1)]
    )
    samples = [Sample(path, truth, "val") for path, truth, _ in CELLS] + [Sample("t.png", 0, "train")]
    run = RunDir.create(StateFolder(folder / "mia"), job, samples, name="seen")
    shutil.rmtree(made.path)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for _, truth, predicted in CELLS:
        counts[truth, predicted] += 1
    for which, epoch in (("last", 3), ("best", 2)):
        save_confusion(run.confusion(which), SavedConfusion(epoch, "val", tuple(classes), counts))
        if with_images:
            given = np.array([predicted for _, _, predicted in CELLS] + [NOT_EVALUATED])
            save_epoch_predictions(epoch_predictions_file(run, which), EpochPredictions(epoch, "val", given))
    write(
        run,
        started(),
        *(step(epoch, place, loss=1 / (epoch + place)) for epoch in (1, 2, 3) for place in range(1, 11)),
        epoch_row(1, macro_f1=0.25, loss=1.5),
        epoch_row(2, macro_f1=0.75, loss=0.5),
        epoch_row(3, macro_f1=0.5, loss=0.75),
        ConfusionSaved(t=4.0, epoch=3, split="val", file="confusion/last.json"),
        ConfusionSaved(t=4.0, epoch=2, split="val", file="confusion/best.json"),
        CheckpointSaved(t=4.0, path="checkpoints/last.pt", epoch=3, is_best=False),
        finished(t=1e10),
    )
    return run


def an_idle_run(folder: Path) -> RunDir:
    """A run that nobody works on, without an event."""
    return make_run(folder / "mia", created_at=1e9)


@asynccontextmanager
async def watched(
    run: RunDir, *, size: tuple[int, int] = SMALL, context: Context | None = None
) -> AsyncIterator[Pilot[None]]:
    dataset = run.path.parent.parent.parent
    make_images(dataset, 1)
    place = OpenDataset(dataset, None, "ann")
    async with shown(
        dataset, lambda _, seen: RunScreen(run, place, seen), size=size, context=context
    ) as pilot:
        yield pilot


async def see(pilot: Pilot[Any], text: str) -> None:
    await wait_until(pilot, lambda: text in screen_text(pilot.app))


@contextmanager
def deaf_worker(run: RunDir) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(python(DEAF, run.path), stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()


# What it says


@pytest.mark.parametrize("size", [SMALL, WIDE, (200, 60), (60, 20)])
def test_a_finished_run_shows_its_end_its_best_epoch_and_its_curves(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path), size=size) as pilot:
            await see(pilot, "Finished after 3 epochs and 0:30; best epoch 2, macro F1")
            text = screen_text(pilot.app)
            for words in (
                "seen",
                "resnet18",
                "finished",
                "macro F1 (decides)",
                "best 0.7500",
                "validation",
                *(("training",) if size[0] > 60 else ()),
                "best",
                "run ",
                "cpu",
            ):
                assert words in text, words
            keys = text.splitlines()[-1]
            assert "Esc Back" in keys
            assert "Stop" not in keys and "Resume" not in keys, "these would do nothing"
            assert ("learning rate" in text) == (size[1] >= 40)

    run_test(test())


def test_every_line_fits_the_terminal_and_nothing_needs_colours_or_unicode(tmp_path: Path) -> None:
    context = make_context(unicode=False, colours="none", graphics="none")

    async def test() -> None:
        async with watched(a_run(tmp_path), context=context) as pilot:
            for key in "123456":
                await press(pilot, key)
                await settle(pilot)
                lines = screen_lines(pilot.app)
                assert all(len(line) == 80 for line in lines), key
                text = "".join(lines)
                assert all(ord(sign) < 128 or sign in "▁▂▃▄▅▆▇█" for sign in text), key  # the scrollbar
            await press(pilot, "1")
            text = screen_text(pilot.app)
            assert "** validation" in text and "oo training" in text and "[1 Curves]" in text

    run_test(test())


def test_at_80_columns_curves_that_have_no_room_come_by_a_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await see(pilot, "macro F1 (decides)")
            assert "loss  " in screen_text(pilot.app)
            await press(pilot, "v")
            await see(pilot, "loss per step")
            assert "learning rate" in screen_text(pilot.app)
            await press(pilot, "right")
            await see(pilot, "macro F1 (decides)")

    run_test(test())


def test_losses_are_drawn_on_a_logarithmic_scale_by_a_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path), size=WIDE) as pilot:
            await press(pilot, "l")
            await see(pilot, "loss, log scale")
            assert "macro F1 (decides), log" not in screen_text(pilot.app)
            await press(pilot, "l")
            assert "log scale" not in screen_text(pilot.app)

    run_test(test())


def test_the_table_of_epochs_marks_the_best_one(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await press(pilot, "2")
            marked = [line.split() for line in screen_lines(pilot.app) if line.rstrip("│ ").endswith("best")]
            assert [(row[0], row[1], row[2], row[3]) for row in marked] == [("2", "1", "0.5", "0.75")]

    run_test(test())


def test_a_failed_run_says_why_and_what_to_do_and_its_warnings_have_a_page(tmp_path: Path) -> None:
    run = an_idle_run(tmp_path)
    error = Failure("RunError", "The loss became nan in epoch 1, step 3.", "Start again with a lower --lr.")
    write(run, started(), Warned(t=1.0, message="Two images are gone.", hint="Look."))
    write(run, RunEnded(t=1e10, outcome="failed", error=error))

    async def test() -> None:
        async with watched(run) as pilot:
            await see(pilot, ": The loss became nan in epoch 1, step 3.")
            await see(pilot, "lower --lr.")
            said = " ".join(screen_text(pilot.app).split())
            assert "Failed 2286-11-2" in said and "step 3. Start again with a lower --lr." in said
            assert "failed" in screen_lines(pilot.app)[0] and "6 Messages (2)" in screen_text(pilot.app)
            keys = screen_lines(pilot.app)[-1]
            assert "r Resume" in keys and "Stop" not in keys
            await press(pilot, "6")
            assert "Warning: Two images are gone. Look." in screen_text(pilot.app)

    run_test(test())


def test_images_that_epochs_did_without_are_told_beside_the_figures_and_by_name(tmp_path: Path) -> None:
    run = an_idle_run(tmp_path)
    left_out = LeftOut(train=0, of_train=9, val=2, of_val=5, images={"a.png": "a.png is not there any more."})
    row = msgspec.structs.replace(epoch_row(2, macro_f1=0.75), left_out=left_out)
    write(run, started(), epoch_row(1, macro_f1=0.5), row, finished(t=1e10))

    async def test() -> None:
        async with watched(run) as pilot:
            await press(pilot, "2")
            assert [line.split()[0] for line in screen_lines(pilot.app) if "val 3/5" in line] == ["2"]
            await press(pilot, "6")
            said = " ".join(screen_text(pilot.app).split())
            assert "2 images were left out of epoch 2 (2 of 5 to validate): a.png" in said

    run_test(test())


def test_a_run_that_stopped_because_a_disk_was_away_says_so(tmp_path: Path) -> None:
    run = an_idle_run(tmp_path)
    error = Failure(
        "AwayError", "The images in x have been away for 5 minutes.", "It goes on when they are back."
    )
    write(run, started(), epoch_row(1, macro_f1=0.5), RunEnded(t=1e10, outcome="stopped", error=error))

    async def test() -> None:
        async with watched(run) as pilot:
            await see(pilot, "The images in x have been away for 5 minutes.")
            assert "stopped" in screen_lines(pilot.app)[0]

    run_test(test())


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([Phase(t=1.0, name="importing", message="loading torch")], "Loading the libraries, a few seconds."),
        (
            [Phase(t=1.0, name="waiting", message="waiting for the run x to end")],
            "Waiting for the run x to end.",
        ),
        (
            [Phase(t=1.0, name="loading", message="reading images"), ProgressMade(t=1.0, done=30, total=120)],
            "Reading images (30 of 120).",
        ),
        ([started(), Phase(t=1.0, name="training", message="on cpu, fp32"), step(1, 4)], "step 4/10"),
        (
            [
                started(),
                Phase(t=1.0, name="training", message="on cpu"),
                TimeUsed(t=1.0, seconds={"images": 9.0}, sentence="It waits for images."),
            ],
            "Training on cpu. It waits for images.",
        ),
    ],
)
def test_what_a_worker_is_busy_with_is_said(tmp_path: Path, events: list[Any], words: str) -> None:
    run = an_idle_run(tmp_path)

    async def test() -> None:
        with WorkerLock(run):
            write(run, *events)
            async with watched(run) as pilot:
                await see(pilot, words)
                assert screen_lines(pilot.app)[0].rstrip().endswith(("running", "waiting"))

    run_test(test())


def test_curves_and_bars_move_while_events_arrive_and_the_time_left_is_told(tmp_path: Path) -> None:
    run = an_idle_run(tmp_path)

    async def test() -> None:
        with WorkerLock(run):
            write(
                run,
                started(),
                Phase(t=1.0, name="training", message="on cpu"),
                epoch_row(1, macro_f1=0.5, loss=1.0),
            )
            async with watched(run) as pilot:
                await see(pilot, "epoch 2/5")
                write(run, step(2, 5), epoch_row(2, macro_f1=0.625, loss=0.5), step(3, 5))
                await see(pilot, "step 5/10")
                text = screen_text(pilot.app)
                assert "50%" in text and "about 0:25 left" in text  # 2.5 epochs of 10 s
                assert "100 images/s" in text and "memory 1 kB" in text

    run_test(test())


def test_names_with_control_characters_steer_nothing(tmp_path: Path) -> None:
    run = a_run(tmp_path, classes=("\x1b[31mred", "a\nb"))

    async def test() -> None:
        async with watched(run) as pilot:
            for key in "3456":
                await press(pilot, key)
                await settle(pilot)
                assert "\x1b" not in screen_text(pilot.app)
                assert len(screen_lines(pilot.app)) == 24

    run_test(test())


# Classes and confusions


async def open_confusions(pilot: Pilot[Any]) -> None:
    await press(pilot, "4")
    await see(pilot, "wrong" if "predicted as  " in screen_text(pilot.app) else "of the class")


def test_the_best_epoch_is_shown_first_and_the_last_one_by_a_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await press(pilot, "3")
            await see(pilot, "Best epoch, 2, on val: 5 images, 3 wrong")
            await press(pilot, "b")
            await see(pilot, "Last epoch, 3, on val")
            await press(pilot, "b")
            await see(pilot, "Best epoch, 2, on val")

    run_test(test())


def test_enter_on_a_cell_ends_with_its_images(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await open_confusions(pilot)
            await press(pilot, "right")
            assert "cat predicted as dog: 2 images, 67% of the class " in screen_text(pilot.app)
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            keys = (ImageKey("b.png"), ImageKey("c.png"))
            assert pilot.app.result == OpenImages("truth cat, predicted dog", keys)

    run_test(test())


def test_wrong_predictions_are_seen_as_tiles_the_largest_confusion_first(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            screen: Any = pilot.app.screen
            title = f"predicted wrongly by {screen.run.name}"
            await pilot.press("g")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, GalleryScreen))
            await see(pilot, f"3 images {title}")
            assert "1/3  b.png" in screen_text(pilot.app) and "✗ dog" in screen_text(pilot.app)
            await press(pilot, "right", "right")
            await see(pilot, "dog, predicted as cat")
            await pilot.press("escape")
            await wait_until(pilot, lambda: pilot.app.screen is screen)
            await pilot.press("g")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, GalleryScreen))
            await press(pilot, "right")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            keys = tuple(ImageKey(f"{name}.png") for name in "bce")
            assert pilot.app.result == OpenImages(title, keys, keys[1])

    run_test(test())


def test_enter_on_a_class_ends_with_all_its_images_wrong_predictions_first(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await press(pilot, "3")
            await see(pilot, "precision")
            await press(pilot, "down")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            assert pilot.app.result == OpenImages("truth dog", (ImageKey("e.png"), ImageKey("d.png")))

    run_test(test())


def test_a_run_of_an_earlier_version_says_that_it_has_no_images_to_open(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path, with_images=False)) as pilot:
            await open_confusions(pilot)
            await press(pilot, "enter")
            assert "does not record which images these are" in told(pilot.app)
            assert not pilot.app.ended

    run_test(test())


def test_an_empty_cell_is_said_to_be_empty(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path, classes=("cat", "dog", "ox"))) as pilot:
            await open_confusions(pilot)
            await press(pilot, "end")
            assert "ox predicted as cat: no image" in screen_text(pilot.app)
            await press(pilot, "enter")
            assert "There is no image with truth ox, predicted cat." in told(pilot.app)

    run_test(test())


def test_above_fifty_classes_the_largest_confusions_are_listed_and_the_matrix_comes_by_a_key(
    tmp_path: Path,
) -> None:
    run = a_run(tmp_path, classes=[f"class {number:03}" for number in range(60)])

    async def test() -> None:
        async with watched(run) as pilot:
            await press(pilot, "4")
            await see(pilot, "predicted as")
            lines = [line for line in screen_lines(pilot.app) if "class 00" in line]
            assert lines[0].split()[-3:-1] == ["2", "67%"] and lines[1].split()[-3:-1] == ["1", "50%"]
            await press(pilot, "down", "m")
            await see(pilot, "predicted as (50 more to the sides)")
            await press(pilot, "m")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            assert pilot.app.result == OpenImages(
                "truth class 001, predicted class 000", (ImageKey("e.png"),)
            )

    run_test(test())


def test_a_matrix_that_is_wider_than_the_terminal_follows_the_cursor(tmp_path: Path) -> None:
    run = a_run(tmp_path, classes=[f"class {number:03}" for number in range(50)])

    async def test() -> None:
        async with watched(run) as pilot:
            await open_confusions(pilot)
            assert "more to the sides" in screen_text(pilot.app)
            for _ in range(49):
                await pilot.press("right")
            await press(pilot, "end", "o")
            assert "Classes are in their own order." in screen_text(pilot.app)
            assert "class 049 predicted correctly: no image" in screen_text(pilot.app)

    run_test(test())


def test_images_outside_the_dataset_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    samples = [Sample(f"/elsewhere/{path}", truth, "val") for path, truth, _ in CELLS] + [
        Sample("t.png", 0, "train")
    ]
    (run.path / "samples.jsonl").write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in samples))

    async def test() -> None:
        async with watched(run) as pilot:
            await open_confusions(pilot)
            await press(pilot, "enter")
            assert "lie outside this dataset" in told(pilot.app)

    run_test(test())


def test_the_images_of_a_run_are_found_where_the_dataset_was_moved_to(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    run = a_run(before)
    for path, _, _ in CELLS:
        (before / path).touch()
    before.rename(after)
    moved = RunDir(after / run.path.relative_to(before))

    async def test() -> None:
        async with watched(moved) as pilot:
            await open_confusions(pilot)
            await press(pilot, "right")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            keys = (ImageKey("b.png"), ImageKey("c.png"))
            assert pilot.app.result == OpenImages("truth cat, predicted dog", keys)

    run_test(test())


# What can be done


def test_stopping_asks_the_worker_and_says_so(tmp_path: Path) -> None:
    run = an_idle_run(tmp_path)

    async def test() -> None:
        with deaf_worker(run):
            write(run, started(), Phase(t=1.0, name="training", message="on cpu"))
            async with watched(run) as pilot:
                await press(pilot, "s")
                assert run.stop.exists()
                await see(pilot, "running, asked to stop")
                assert "S can end it at once." in " ".join(screen_text(pilot.app).split())  # more than a line

    run_test(test())


def test_a_text_of_several_lines_is_seen_whole_also_right_after_another_one(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(an_idle_run(tmp_path)) as pilot:
            screen = pilot.app.screen
            assert isinstance(screen, RunScreen)
            for text in ("Short.", "words " * 30 + "end."):
                screen._say_doing(text)
                screen._refresh_layout()  # as a change of the window between the two does
            await wait_until(pilot, lambda: "end." in screen_text(pilot.app))

    run_test(test())


def test_at_80_columns_a_long_name_and_busy_gpus_leave_room_for_what_matters() -> None:
    gpu = Gpu("GPU-1", "NVIDIA H100 80GB HBM3", 85_000_000_000, 15_000_000_000, 97, "550")
    state = RunState()
    state.apply(msgspec.structs.replace(started(), device="NVIDIA H100 80GB HBM3 (GPU 3)"))
    state.apply(step(1, 1))
    line = figures_line(RunSnapshot(None, state, "running", gpus=(gpu,)), 80, make_context().ink)
    assert "GPU" in line and "97 %" in line and "70 GB of 85 GB" in line
    assert "loss" in line and "lr" in line and len(line) <= 80
    wide = figures_line(RunSnapshot(None, state, "running", gpus=(gpu,)), 200, make_context().ink)
    assert wide.startswith("NVIDIA H100") and "GPU load 97 %" in wide


def test_the_state_of_a_run_with_a_very_long_name_is_seen(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", name="n" * 70, created_at=1e9)

    async def test() -> None:
        async with watched(run) as pilot:
            assert screen_lines(pilot.app)[0].rstrip().endswith("starting")

    run_test(test())


@pytest.mark.parametrize(("answer", "killed"), [("k", True), ("w", False), ("escape", False)])
def test_a_second_stop_after_ten_seconds_offers_to_kill(tmp_path: Path, answer: str, killed: bool) -> None:
    run = an_idle_run(tmp_path)

    async def test() -> None:
        with deaf_worker(run) as process:
            write(run, started(), CheckpointSaved(t=1.0, path="x", epoch=4, is_best=False))
            run.stop.write_bytes(msgspec.json.encode(StopFile(time.time() - 11)))
            async with watched(run) as pilot:
                await press(pilot, "s")
                assert "its last checkpoint, of epoch 4, is then lost" in " ".join(
                    screen_text(pilot.app).split()
                )
                await press(pilot, answer)
                if killed:
                    await see(pilot, "Its worker died")
                    assert process.wait(LONGEST_S) == -signal.SIGKILL
                else:
                    assert process.poll() is None

    run_test(test())


def test_there_is_nothing_to_stop_or_resume_in_a_finished_run(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await press(pilot, "s")
            assert "There is nothing to stop" in screen_text(pilot.app)
            await press(pilot, "r")
            assert "is finished, so there is nothing to resume. C trains on from its weights." in " ".join(
                screen_text(pilot.app).split()
            )

    run_test(test())


def test_resuming_starts_a_worker_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = an_idle_run(tmp_path)
    write(run, started(), RunEnded(t=1e10, outcome="stopped"))
    asked: list[RunDir] = []
    monkeypatch.setattr(
        "mia_tui.runs.actions.starting.resume_run", lambda run, after, dataset: asked.append(run)
    )

    async def test() -> None:
        async with watched(run) as pilot:
            await see(pilot, "R resumes it from the beginning")
            await press(pilot, "r")
            assert asked == [run] and "continues with its settings." in screen_text(pilot.app)
        with WorkerLock(run):
            async with watched(run) as pilot:
                await press(pilot, "r")
                assert asked == [run] and " already." in screen_text(pilot.app)

    run_test(test())


def test_deleting_asks_first_and_then_goes_back(tmp_path: Path) -> None:
    run = a_run(tmp_path)

    async def test() -> None:
        async with watched(run) as pilot:
            await press(pilot, "x", "k")
            assert run.exists() and not pilot.app.ended
            await press(pilot, "x")
            await see(pilot, "labels and images stay")
            await pilot.press("d")
            await wait_until(pilot, lambda: pilot.app.ended)
            assert not run.path.exists() and pilot.app.result is None

    run_test(test())


def test_a_command_that_asks_something_is_not_said_to_be_slow(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(an_idle_run(tmp_path)) as pilot:
            await press(pilot, "e")
            await see(pilot, "Which title has this run?")
            await pilot.pause(2 * SLOW_S)
            await press(pilot, "escape")
            await see(pilot, "Esc Back")
            assert "One moment." not in screen_text(pilot.app)

    run_test(test())


def test_a_slow_command_says_so_until_it_is_done(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(an_idle_run(tmp_path)) as pilot:
            done = asyncio.Event()

            async def command() -> None:
                await done.wait()

            pilot.app.screen.queue.do(command)
            await see(pilot, "One moment.")
            done.set()
            await wait_until(pilot, lambda: "One moment." not in screen_text(pilot.app))

    run_test(test())


def test_a_run_deleted_by_somebody_else_is_said_to_be_gone(tmp_path: Path) -> None:
    run = a_run(tmp_path)

    async def test() -> None:
        async with watched(run) as pilot:
            shutil.rmtree(run.path)
            await see(pilot, "The folder of this run has been deleted")
            assert "deleted" in screen_lines(pilot.app)[0] and "validation" in screen_text(pilot.app)
            await press(pilot, "s")
            await press(pilot, "escape")
            assert pilot.app.ended

    run_test(test())


def test_running_again_opens_the_form_with_its_settings_and_shows_the_new_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.tui.training import screen

    run, new = a_run(tmp_path / "x"), an_idle_run(tmp_path / "y")
    opened: list[Any] = []

    class Form(Screen[RunDir | None]):
        def __init__(self, place: OpenDataset, context: Context, **options: Any) -> None:
            super().__init__()
            opened.append(options)

        def on_mount(self) -> None:
            self.dismiss(new)

    monkeypatch.setattr(screen, "TrainScreen", Form)

    async def test() -> None:
        async with watched(run) as pilot:
            await pilot.press("a")
            await see(pilot, new.name)
            assert opened[0]["base"] == run.job().config and run.name in opened[0]["title"]

    run_test(test())


def test_changed_settings_need_weights_that_were_saved(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await press(pilot, "c")
            assert "has no weights; it is finished." in told(pilot.app)

    run_test(test())


def test_tab_goes_through_the_pages_and_help_names_the_keys(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            for page in ("2 Epochs", "3 Per class", "4 Confusion", "5 Settings", "6 Messages", "1 Curves"):
                await press(pilot, "tab")
                assert f"[{page}]" in screen_text(pilot.app)
            await press(pilot, "shift+tab")
            assert "[6 Messages]" in screen_text(pilot.app)
            await press(pilot, "question_mark")
            assert "End it after the current step" in screen_text(pilot.app)
            await press(pilot, "escape", "escape")
            assert pilot.app.ended and pilot.app.result is None

    run_test(test())


def test_the_settings_mark_what_is_not_the_default_and_name_the_command(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", created_at=1e9, epochs=7)

    async def test() -> None:
        async with watched(run) as pilot:
            await press(pilot, "5")
            assert "mia-tui train x" in screen_text(pilot.app)
            seen: set[str] = set()
            for _ in range(8):
                seen.update(" ".join(line.split()) for line in screen_lines(pilot.app))
                await press(pilot, "pagedown")
            assert {"* epochs 7", "backbone resnet18", "affine 0"} <= {
                line.strip(" │▅▂▃▄▆▇█▁") for line in seen
            }

    run_test(test())


def test_a_run_that_nobody_sees_is_not_read_until_its_screen_is_seen_again(tmp_path: Path) -> None:
    run = an_idle_run(tmp_path)
    write(run, started(), epoch_row(1, macro_f1=0.25))

    async def test() -> None:
        with WorkerLock(run):
            async with watched(run) as pilot:
                await see(pilot, "running")
                follower = pilot.app.screen._follow
                await press(pilot, "question_mark")
                polls = []
                poll = follower.poll
                follower.poll = lambda: (polls.append(1), poll())  # type: ignore[func-returns-value]
                await asyncio.sleep(1.2)
                assert len(polls) <= 1, "one that was under way"
                await press(pilot, "escape")
                await wait_until(pilot, lambda: len(polls) > 1)

    run_test(test())


def test_a_click_on_the_name_of_a_page_turns_to_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path), size=WIDE) as pilot:
            await see(pilot, "4 Confusion")
            [line] = [line for line in screen_lines(pilot.app) if "4 Confusion" in line]
            await pilot.click("#run-tabs", offset=(line.index("Confusion"), 0))
            await see(pilot, "[4 Confusion]")

    run_test(test())


@pytest.mark.parametrize(("metric", "words"), [("loss", ", chosen by loss"), ("macro_f1", "0.7500.")])
def test_the_best_epoch_says_by_which_metric_it_was_chosen(tmp_path: Path, metric: str, words: str) -> None:
    run = make_run(tmp_path / "mia", created_at=1e9, metric=metric)
    write(
        run,
        started(),
        *(epoch_row(n, macro_f1=0.75, accuracy=0.8, loss=1 / n) for n in (1, 2)),
        finished(t=1e10),
    )

    async def test() -> None:
        async with watched(run, size=(200, 60)) as pilot:
            await see(pilot, "best epoch")
            text = screen_text(pilot.app)
            assert words in text
            assert f"{'loss' if metric == 'loss' else 'macro F1'} decides which epoch is the best" in text
            assert "accuracy" in text and "best 0.8000, epoch" in text

    run_test(test())


def test_leaving_ends_the_thread_that_follows(tmp_path: Path) -> None:
    import threading

    async def test() -> None:
        async with watched(a_run(tmp_path)) as pilot:
            await press(pilot, "escape")

    run_test(test())
    wait_for(lambda: not any(thread.name == "run" for thread in threading.enumerate()))
