"""The results of a run: what each page says, which images open from it, the threshold, and two runs side by side."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from network_support import put_network
from run_support import epoch_row, finished, make_run, started
from textual.pilot import Pilot
from tui_support import (
    SMALL,
    make_context,
    make_images,
    opened,
    press,
    screen_lines,
    screen_text,
    settle,
    shown,
    type_text,
    wait_until,
)
from tui_support import run as run_test

from mia_tui.dataset.model import ImageKey
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, save_scores, scores_file
from mia_tui.runs.record.decision import Decision, read_decision, write_decision
from mia_tui.runs.record.events import ConfusionSaved
from mia_tui.runs.record.job import JobClass, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.results.computed import read_computed
from mia_tui.tui.results.pair_screen import PairScreen
from mia_tui.tui.results.screen import ResultsScreen
from mia_tui.tui.runs.gallery import GalleryScreen
from mia_tui.tui.runs.run_screen import RunScreen

WIDE = 120, 40
CLASSES = ("cat", "dog", "fox")
TRUTH = np.repeat([0, 1, 2], [6, 4, 2])
SAID = np.array(
    [
        *[[0.98, 0.01, 0.01]] * 4,
        [0.55, 0.35, 0.10],
        [0.30, 0.65, 0.05],  # image-005: a cat that is taken for a dog
        *[[0.02, 0.95, 0.03]] * 3,
        [0.60, 0.30, 0.10],  # image-009: a dog that is taken for a cat
        [0.05, 0.15, 0.80],
        [0.02, 0.95, 0.03],  # image-011: a fox that is taken for a dog, and surely so
    ],
    np.float32,
)
WRONG = ["image-005.png", "image-009.png", "image-011.png"]


def path_of(number: int) -> str:
    return f"image-{number:03}.png"


def a_run(
    dataset: Path,
    *,
    said: np.ndarray = SAID,
    with_scores: bool = True,
    classes: Sequence[str] = CLASSES,
    rows: Sequence[int] = range(12),
    name: str = "seen",
) -> RunDir:
    """A finished training that was validated on images 0 to 11, or on some of them; it has a file of weights."""
    made = make_run(dataset / "mia", created_at=1e9)
    job = msgspec.structs.replace(
        made.job(), classes=[JobClass(n, each) for n, each in enumerate(classes, 1)]
    )
    shutil.rmtree(made.path)
    samples = [Sample(path_of(number), int(TRUTH[number]), "val") for number in rows]
    run = RunDir.create(StateFolder(dataset / "mia"), job, samples, name=name)
    said = said[list(rows)]
    predicted, truth = said.argmax(axis=1), TRUTH[list(rows)]
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (truth, predicted), 1)
    save_confusion(run.confusion("best"), SavedConfusion(2, "val", tuple(classes), counts))
    save_epoch_predictions(epoch_predictions_file(run, "best"), EpochPredictions(2, "val", predicted))
    if with_scores:
        save_scores(scores_file(run, "best"), EvaluatedScores(2, "val", np.arange(len(rows)), np.log(said)))
    put_network(run.best_weights, classes, run=run.name)
    with EventLog(run.events) as log:
        for event in (
            started(),
            epoch_row(1, macro_f1=0.25, loss=1.5),
            epoch_row(2, macro_f1=0.75, loss=0.5),
            ConfusionSaved(t=4.0, epoch=2, split="val", file="confusion/best.json"),
            finished(t=1e10),
        ):
            log.append(event)
    return run


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_images(tmp_path / "images", 12, classes=CLASSES)


@asynccontextmanager
async def results_of(
    run: RunDir, *, size: tuple[int, int] = WIDE, context: Context | None = None
) -> AsyncIterator[Pilot[Any]]:
    """The screen of its results, everything on its first page known."""
    dataset = run.path.parent.parent.parent
    place = OpenDataset(dataset, None, "ann")
    async with shown(
        dataset,
        lambda _, seen: ResultsScreen(run, place, seen),
        size=size,
        context=context,
    ) as pilot:
        yield pilot


async def see(pilot: Pilot[Any], text: str) -> None:
    await wait_until(pilot, lambda: text in screen_text(pilot.app))


async def answer(pilot: Pilot[Any]) -> OpenImages:
    await wait_until(pilot, lambda: pilot.app.ended)
    assert isinstance(pilot.app.result, OpenImages)
    return pilot.app.result


def paths(images: OpenImages) -> list[str]:
    return [key.path for key in images.keys]


# Pages


@pytest.mark.parametrize("size", [SMALL, WIDE, (200, 60), (50, 14)])
def test_every_page_says_what_it_is_about_and_fits_the_window(dataset: Path, size: tuple[int, int]) -> None:
    pages = {
        "1": ("accuracy", "0.750", "too few"),
        "2": ("cat", "precision"),
        "3": ("predicted as",),
        "4": ("cat against all others", "AP"),
        "5": ("calibration error",),
        "6": ("Top losses", "loss"),
        "7": ("Threshold", "all cla"),
    }

    async def test() -> None:
        async with results_of(a_run(dataset), size=size) as pilot:
            for key, words in pages.items():
                await press(pilot, key)
                await settle(pilot)
                for word in words:
                    await see(pilot, word)
                assert all(len(line.rstrip()) <= size[0] for line in screen_lines(pilot.app))

    run_test(test())


def test_nothing_needs_colours_or_unicode(dataset: Path) -> None:
    context = make_context(unicode=False, colours="none", graphics="none")

    async def test() -> None:
        async with results_of(a_run(dataset), size=SMALL, context=context) as pilot:
            for key in "1234567":
                await press(pilot, key)
                await settle(pilot)
                assert screen_text(pilot.app).isascii()

    run_test(test())


def test_the_method_of_an_interval_is_that_of_the_metric_under_the_cursor(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            await see(pilot, "Metrics with 95 % intervals (here Wilson, 12 images)")
            await press(pilot, "down")
            await wait_until(pilot, lambda: "Wilson, 12 images" not in screen_text(pilot.app))
            assert "Metrics with 95 % intervals" in screen_text(pilot.app)

    run_test(test())


def test_few_images_fit_no_temperature(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            await press(pilot, "5")
            await see(pilot, "at temperature 1.00")

    run_test(test())


def test_tab_goes_through_the_pages_and_a_click_on_a_name_turns_to_it(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            screen = pilot.app.screen
            seen = [screen.page.NAME]
            for _ in range(7):
                await press(pilot, "tab")
                seen.append(screen.page.NAME)
            assert seen[0] == seen[-1] == "metrics" and len(set(seen)) == 7
            await press(pilot, "shift+tab")
            assert screen.page.NAME == "threshold"
            at = screen_lines(pilot.app)[1].index("Confusion matrix") - 1  # its margin
            await pilot.click("#results-tabs", offset=(at + 2, 0))
            await see(pilot, "predicted as")

    run_test(test())


def test_the_matrix_has_counts_shares_or_both_in_either_order(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            await press(pilot, "3")
            await see(pilot, "83%")
            await press(pilot, "c")
            await see(pilot, "Cells have counts.")
            await press(pilot, "c")
            await see(pilot, "Cells have shares of the class.")
            await press(pilot, "o")
            await see(pilot, "classes in their own order")
            await press(pilot, "m")
            await see(pilot, "The largest of 3 confusions")

    run_test(test())


# Images


@pytest.mark.parametrize(
    ("keys", "title", "expected"),
    [
        (("1",), "predicted wrongly", WRONG),
        (("2", "down"), "truth dog", ["image-009.png", "image-006.png", "image-007.png", "image-008.png"]),
        (("3", "o", "right"), "truth cat, predicted dog", ["image-005.png"]),
        (("4", "down", "down"), "truth fox, the least sure first", ["image-011.png", "image-010.png"]),
        (("6",), "top losses", None),
    ],
)
def test_enter_opens_the_images_under_the_cursor(
    dataset: Path, keys: tuple[str, ...], title: str, expected: list[str] | None
) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            await press(pilot, *keys, "enter")
            images = await answer(pilot)
            assert images.title == title
            found = paths(images)
            if expected is None:  # the surest mistake comes first
                assert found[0] == "image-011.png" and len(found) == 12
            else:
                assert found == expected
            assert images.place is not None and images.place.results is not None

    run_test(test())


def test_a_bin_of_the_reliability_diagram_opens_its_images_the_wrong_ones_first(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            await press(pilot, "5")
            await settle(pilot)
            await see(pilot, "8 images at 96.5% on average, 87.5% of them right: surer than right.")
            await press(pilot, "enter")
            images = await answer(pilot)
            assert paths(images)[0] == "image-011.png" and len(images.keys) == 8
            assert images.title == "0.93 to 1.00 sure"

    run_test(test())


def test_tiles_show_the_probability_and_go_back_to_the_cursor(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            await press(pilot, "6", "down", "g")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, GalleryScreen))
            await see(pilot, "predicted as dog (0.650)")
            await see(pilot, "12 images (top losses)")
            await press(pilot, "escape")
            assert pilot.app.screen.page.lines.cursor == 1
            await press(pilot, "g")
            await see(pilot, "12 images (top losses)")
            await press(pilot, "enter")
            images = await answer(pilot)
            assert images.first == ImageKey("image-005.png") and images.title == "top losses"

    run_test(test())


def test_images_of_results_open_in_their_order_and_esc_leads_back_to_the_cursor(dataset: Path) -> None:
    a_run(dataset)

    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            await press(pilot, "ctrl+u")
            await see(pilot, "finished, best")
            await press(pilot, "enter")
            await see(pilot, "Finished after")
            await press(pilot, "f")
            await see(pilot, "accuracy")
            await press(pilot, "3", "o", "c", "c", "right", "6")
            await see(pilot, "image-011.png")
            await press(pilot, "down", "down", "enter")
            await see(pilot, "goes back to the results")
            session = pilot.app.screen.controller.session
            shown_keys = [session.listing.key(row).path for row in session.view]
            assert shown_keys[:3] == ["image-011.png", "image-005.png", "image-009.png"]
            assert session.current == ImageKey("image-009.png")
            await press(pilot, "escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, ResultsScreen))
            await see(pilot, "all 12 images, the largest loss first")
            await press(pilot, "home", "enter")  # the first is opened, too, not the one that was seen last
            await see(pilot, "goes back to the results")
            assert session.current == ImageKey("image-011.png")
            await press(pilot, "escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, ResultsScreen))
            await see(pilot, "largest loss first")
            await press(pilot, "down", "down", "enter")
            await see(pilot, "goes back to the results")
            await press(pilot, "escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, ResultsScreen))
            screen = pilot.app.screen
            await wait_until(pilot, lambda: screen.page.lines.cursor == 2)
            assert screen.page.NAME == "losses"
            await press(pilot, "3")
            await see(pilot, "cat predicted as dog: 1 image")
            await see(pilot, "classes in their own order")
            await press(pilot, "escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))

    run_test(test())


# Threshold


def test_the_cursor_moves_along_the_curve_and_enter_stores_the_threshold_with_the_model(
    dataset: Path,
) -> None:
    run = a_run(dataset)

    async def test() -> None:
        async with results_of(run) as pilot:
            await press(pilot, "7")
            await settle(pilot)
            await see(pilot, "Answers 100.0% of 12 images of val, 75.0% right")
            await press(pilot, "enter")
            await see(pilot, "Without a threshold every image is answered")
            assert read_decision(run.best_weights) is None
            await press(pilot, "left")
            await see(pilot, "not stored yet")
            await press(pilot, "left", "left", "enter")
            await see(pilot, "Stored with the model")
            decision = read_decision(run.best_weights)
            assert decision is not None
            assert (decision.part, decision.images) == ("val", 12)
            assert decision.coverage == pytest.approx(9 / 12) and decision.accuracy == pytest.approx(8 / 9)
            assert 0.65 < decision.threshold < 0.8 and "9 images" in decision.method

    run_test(test())


def test_the_threshold_answers_as_the_decision_that_is_stored_says(dataset: Path) -> None:
    """What the screen calls unsure is what `decide` calls unsure."""
    from mia_tui.runs.record.decision import UNSURE, calibrated, decide

    run = a_run(dataset)

    async def test() -> None:
        async with results_of(run) as pilot:
            await press(pilot, "7")
            await settle(pilot)
            await press(pilot, "left", "left", "down", "left", "enter")
            await see(pilot, "Stored with the model")
            decision = read_decision(run.best_weights)
            assert decision is not None and list(decision.by_class) == ["cat"]
            decided = decide(decision, calibrated(SAID, decision.temperature), CLASSES)
            await press(pilot, "up", "i")
            images = await answer(pilot)
            assert set(paths(images)) == {path_of(n) for n in np.flatnonzero(decided == UNSURE).tolist()}
            assert images.title == "unsure"

    run_test(test())


def test_the_threshold_that_answers_most_with_so_many_right_is_found(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset)) as pilot:
            await press(pilot, "7")
            await settle(pilot)
            await press(pilot, "t")
            await type_text(pilot, "lots")
            await press(pilot, "enter")
            await see(pilot, "A number between 0 and 100")
            await press(pilot, "escape", "t")
            await type_text(pilot, "88")
            await press(pilot, "enter")
            await see(pilot, "Answers 75.0% of 12 images of val, 88.9% right")

    run_test(test())


def test_the_mark_on_the_curve_says_the_same_as_the_table_below_it(dataset: Path) -> None:
    """A threshold is stored with few digits, so it is not quite one of the curve."""
    run = a_run(dataset)

    async def test() -> None:
        async with results_of(run, size=WIDE) as pilot:
            await press(pilot, "7")
            await settle(pilot)
            for _ in range(6):
                await press(pilot, "left")
                await settle(pilot)
                lines = screen_lines(pilot.app)
                table = next(line for line in lines if "all classes" in line).split()
                mark = next(line for line in lines if "answered, threshold" in line)
                answered, right = table[-3:-1] if table[-1] == "│" else table[-2:]
                assert f"{right} of {answered} answered" in mark

    run_test(test())


def test_a_threshold_of_a_class_is_dropped_first_and_the_stored_one_only_after_a_question(
    dataset: Path,
) -> None:
    run = a_run(dataset)
    write_decision(
        run.best_weights,
        Decision(
            temperature=1.0,
            threshold=0.7,
            by_class={"dog": 0.96},
            part="val",
            images=12,
            coverage=0.5,
            accuracy=1.0,
            chosen_at=1e9,
        ),
    )

    async def test() -> None:
        async with results_of(run) as pilot:
            await press(pilot, "7")
            await settle(pilot)
            await see(pilot, "stored with the model")
            await see(pilot, "0.960")
            await press(pilot, "down", "down", "x")
            await see(pilot, "This class has the threshold of all classes again.")
            await see(pilot, "not stored yet")
            await press(pilot, "x")
            await see(pilot, "Remove the threshold of this model?")
            await press(pilot, "escape")
            assert read_decision(run.best_weights) is not None
            await press(pilot, "x", "r")
            await see(pilot, "Removed: predictions with this model answer every image.")
            assert read_decision(run.best_weights) is None

    run_test(test())


def test_a_threshold_that_is_not_stored_yet_is_kept_while_its_images_are_looked_at(dataset: Path) -> None:
    run = a_run(dataset)
    place = OpenDataset(dataset, None, "ann")

    async def chosen() -> OpenImages:
        async with results_of(run) as pilot:
            await press(pilot, "7")
            await settle(pilot)
            await press(pilot, "left", "left", "i")
            return await answer(pilot)

    async def returned(images: OpenImages) -> None:
        at = images.place.results  # type: ignore[union-attr]
        async with shown(dataset, lambda _, seen: ResultsScreen(run, place, seen, at=at), size=WIDE) as pilot:
            await settle(pilot)
            await see(pilot, "not stored yet")
            await see(pilot, "Answers 83.3% of 12 images")

    run_test(returned(run_test(chosen())))


# Runs without results


def test_a_run_of_an_earlier_version_says_how_to_get_its_probabilities(dataset: Path) -> None:
    async def test() -> None:
        async with results_of(a_run(dataset, with_scores=False)) as pilot:
            await see(pilot, "0.750")
            await press(pilot, "6")
            await see(pilot, "This run does not hold the probabilities of its images")
            await see(pilot, "E evaluates its network anew")
            await press(pilot, "enter")
            await see(pilot, "There are no images of this.")

    run_test(test())


def test_one_key_evaluates_the_network_of_such_a_run_anew(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.tui.results import evaluating

    run = a_run(dataset, with_scores=False)
    asked: list[tuple[Path, str | None]] = []

    def start(opened: OpenDataset, weights: Path, split: str | None) -> RunDir:
        asked.append((weights, split))
        return run

    monkeypatch.setattr(evaluating, "start_evaluation", start)

    async def test() -> None:
        async with results_of(run) as pilot:
            await press(pilot, "6", "e")
            await wait_until(pilot, lambda: pilot.app.ended)
            assert pilot.app.result == run
            assert asked == [(run.best_weights, "val")]

    run_test(test())


def test_an_evaluation_that_cannot_start_is_not_said_to_start(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.tui.results import evaluating

    def start(opened: OpenDataset, weights: Path, split: str | None) -> RunDir:
        raise RunError("The disk that holds it is full.", "Free some space.")

    monkeypatch.setattr(evaluating, "start_evaluation", start)

    async def test() -> None:
        async with results_of(a_run(dataset, with_scores=False)) as pilot:
            await press(pilot, "6", "e")
            await wait_until(pilot, lambda: any("disk" in note.message for note in pilot.app._notifications))
            assert "Starting the evaluation" not in screen_text(pilot.app) and not pilot.app.ended

    run_test(test())


def test_a_run_that_was_not_evaluated_says_so_and_can_be_left(dataset: Path) -> None:
    run = make_run(dataset / "mia", created_at=1e9)

    async def test() -> None:
        async with results_of(run) as pilot:
            await see(pilot, "E evaluates its network anew")
            for key in "1234567":
                await press(pilot, key, "enter", "g", "left", "down")
            await press(pilot, "escape")
            await wait_until(pilot, lambda: pilot.app.ended)

    run_test(test())


def test_results_stay_in_memory_until_others_are_written(dataset: Path) -> None:
    run, place = a_run(dataset), OpenDataset(dataset, None, "ann")
    first = read_computed(run, place)
    assert read_computed(run, place) is first
    save_scores(scores_file(run, "best"), EvaluatedScores(2, "val", np.arange(12), np.log(SAID[::-1])))
    assert read_computed(run, place) is not first


# Two runs


OTHER = SAID.copy()
OTHER[5] = [0.9, 0.05, 0.05]  # right now
OTHER[9] = [0.1, 0.8, 0.1]
OTHER[0] = [0.2, 0.2, 0.6]  # wrong now


@asynccontextmanager
async def two_runs(dataset: Path, one: RunDir, other: RunDir) -> AsyncIterator[Pilot[Any]]:
    place = OpenDataset(dataset, None, "ann")
    async with shown(dataset, lambda _, seen: PairScreen(one, other, place, seen), size=WIDE) as pilot:
        yield pilot


def test_two_runs_side_by_side_say_what_each_is_right_on_and_open_where_they_differ(dataset: Path) -> None:
    one, other = a_run(dataset), a_run(dataset, said=OTHER, name="other")

    async def test() -> None:
        async with two_runs(dataset, one, other) as pilot:
            await see(pilot, "Both right 8, only A 1, only B 2, neither 1.")
            await see(pilot, "McNemar's p = 1.000 (exact): such a difference may be chance.")
            await see(pilot, "3 images on which they differ")
            await press(pilot, "tab")
            await see(pilot, "1 image on which only A is right")
            await press(pilot, "tab")
            await see(pilot, "2 images on which only B is right")
            await press(pilot, "down", "enter")
            images = await answer(pilot)
            assert paths(images) == ["image-005.png", "image-009.png"]
            assert images.first == ImageKey("image-009.png")

    run_test(test())


def test_two_runs_are_compared_on_the_images_that_both_know(dataset: Path) -> None:
    one, other = a_run(dataset), a_run(dataset, said=OTHER, rows=(0, 9, 10), name="other")

    async def test() -> None:
        async with two_runs(dataset, one, other) as pilot:
            await see(pilot, "2 of 3 images right")
            await see(pilot, "Both right 1, only A 1, only B 1, neither 0.")

    run_test(test())


def test_runs_without_a_common_image_say_so(dataset: Path) -> None:
    one, other = a_run(dataset, rows=(0, 1)), a_run(dataset, rows=(8, 9), name="other")

    async def test() -> None:
        async with two_runs(dataset, one, other) as pilot:
            await see(pilot, "were evaluated on no image in common.")
            await press(pilot, "tab", "down", "g", "enter")
            await see(pilot, "There are no such images.")

    run_test(test())


def test_from_the_list_of_runs_to_images_on_which_two_differ_and_back(dataset: Path) -> None:
    a_run(dataset)
    a_run(dataset, said=OTHER, name="other")

    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            await press(pilot, "ctrl+u")
            await see(pilot, "finished, best")
            await press(pilot, "space", "down", "space", "v")
            await see(pilot, "Best epochs")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, PairScreen))
            await see(pilot, "3 images on which they differ")
            await press(pilot, "down", "enter")
            await see(pilot, "goes back to the results")
            await press(pilot, "escape")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, PairScreen))
            await see(pilot, "3 images on which they differ")
            assert pilot.app.screen.place.line == 1

    run_test(test())


def test_a_long_name_and_control_characters_of_classes_do_no_harm(dataset: Path) -> None:
    names = ("a" * 200, "b\x1b[31m\nc", "[bold]fox")

    async def test() -> None:
        async with results_of(a_run(dataset, classes=names), size=SMALL) as pilot:
            for key in "1234567":
                await press(pilot, key)
                await settle(pilot)
                text = screen_text(pilot.app)
                assert "\x1b" not in text and len(text.splitlines()) == SMALL[1]

    run_test(test())
