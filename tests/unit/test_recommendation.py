"""Which recipe suits a training, why, and how long it takes."""

from collections.abc import Callable
from typing import Any

import pytest

from mia_tui.config.check import make_config
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.recipes import RECIPES
from mia_tui.dataset.model import Part
from mia_tui.runs.machine.step_times import StepTime, StepTimes
from mia_tui.runs.preflight.duration import forecast, total_s
from mia_tui.runs.preflight.recommendation import (
    MANY_IMAGES,
    SHIPPED_BACKBONE,
    Recommendation,
    TrainingPlace,
    recommend,
    with_recipe,
)

CPU = TrainingPlace(has_gpu=False, cores=2, times=None)
GPU = TrainingPlace(has_gpu=True, cores=16, times=None)
TIME = StepTime(0.1, 0.03, 0.0, "CPU, 2 threads", "resnet18", 224 * 224)


def nothing(name: str) -> bool:
    return False


def shipped(name: str) -> bool:
    return name == SHIPPED_BACKBONE


def everything(name: str) -> bool:
    return True


def told(
    images: int = 1000, here: Callable[[str], bool] = shipped, place: TrainingPlace = GPU, **given: Any
) -> Recommendation:
    totals: dict[Part, int] = {"train": images, "val": images // 4, "test": 0}
    return recommend(make_config(flags=given), totals, place, here=here, given=given.keys())


def test_with_a_thousand_images_and_the_weights_of_the_program_these_are_recommended() -> None:
    said = told()
    assert said.options == "--recipe finetune" and not said.warning
    assert "1,000 images" in said.reason and f"{SHIPPED_BACKBONE} come with the program" in said.reason
    assert said.advice("`--recipe finetune`").startswith("`--recipe finetune` suits better, and takes ")


def test_few_images_get_more_epochs_which_are_few_steps_each() -> None:
    said = told(images=100)
    assert said.options == "--recipe finetune --epochs 40"
    assert told(images=100, epochs=7).options == "--recipe finetune"
    few, many = (with_recipe(TrainConfig(), "finetune", (), beside) for beside in (said.beside, {}))
    assert (few.epochs, many.epochs) == (40, RECIPES["finetune"]["epochs"])


def test_a_network_that_somebody_chose_keeps_its_own_weights_where_they_are_here() -> None:
    assert told(here=everything, backbone="resnet50").options == "--recipe finetune --backbone resnet50"
    assert told(here=everything).options == "--recipe finetune"


def test_a_large_network_from_nothing_is_warned_of_with_a_way_out() -> None:
    said = told(backbone="resnet50")
    assert said.warning == (
        "resnet50 begins with nothing here, and 1,000 images are few to learn 24 million numbers from."
    )
    assert said.options == f"--recipe finetune --backbone {SHIPPED_BACKBONE}"
    without = told(here=nothing, backbone="resnet50")
    assert without.warning and without.options == "--recipe scratch --backbone resnet18"


def test_without_any_weights_the_recipe_for_a_new_network_is_recommended() -> None:
    assert told(here=nothing).options == "--recipe scratch"
    assert told(here=nothing, backbone="mobilenetv2").options == "--recipe scratch"


def test_weights_that_somebody_named_are_kept() -> None:
    said = told(backbone="resnet50", weights="my runs/best.safetensors")
    assert (
        said.options == "--recipe finetune --backbone resnet50 --weights 'my runs/best.safetensors'"
        and not said.warning
    )
    assert told(backbone=SHIPPED_BACKBONE, weights="imagenet").options == "--recipe finetune"


@pytest.mark.parametrize("recipe", ["finetune", "best", "quick"])
def test_settings_that_suit_or_are_a_first_look_are_not_told_to_change(recipe: str) -> None:
    config = make_config(recipe=recipe, flags={"width": 96, "height": 96, "seed": 3})
    said = recommend(config, {"train": 1000, "val": 200, "test": 0}, GPU, here=shipped)
    assert said.recipe is None and said.advice("it") == "" and said.time.startswith("The training takes ")


def test_of_more_images_than_were_measured_nothing_is_said_but_the_time() -> None:
    said = told(images=MANY_IMAGES, backbone="resnet50")
    assert said.recipe is None and not said.warning and said.time


def test_a_training_of_many_hours_is_better_begun_by_a_quick_one() -> None:
    config = make_config(recipe="finetune", flags={"width": 448, "height": 448})
    said = recommend(config, {"train": 19_000, "val": 900, "test": 0}, CPU, here=shipped)
    assert said.recipe == "quick" and said.now is not None and said.then is not None
    assert said.then.seconds < said.now.seconds / 2
    assert said.advice("quick").endswith("It shows first whether the classes can be told apart.")


def test_what_somebody_named_stays_beside_a_recipe() -> None:
    config = TrainConfig(epochs=3, width=96, height=96)
    changed = with_recipe(config, "finetune", {"epochs"})
    assert (changed.epochs, changed.width, changed.weights) == (3, 96, "imagenet")
    assert with_recipe(config, "mia").epochs == RECIPES["mia"]["epochs"]


def test_the_time_goes_by_what_was_measured_on_this_machine() -> None:
    times = StepTimes()
    times.add(TrainConfig(), TIME)
    measured = told(images=100, place=TrainingPlace(has_gpu=False, cores=2, times=times))
    assert measured.time == "The training takes about 4 minutes (measured here)."


def test_growing_images_and_a_frozen_start_take_less_time() -> None:
    totals: dict[Part, int] = {"train": 100, "val": 0, "test": 0}
    whole = total_s(TrainConfig(epochs=10), totals, TIME, 2)
    assert whole == pytest.approx(10 + 10 * 100 * 0.1)
    assert total_s(TrainConfig(epochs=10, start_size=0.5), totals, TIME, 2) < 0.65 * whole
    frozen = total_s(TrainConfig(epochs=10, freeze_epochs=10.0), totals, TIME, 2)
    assert frozen == pytest.approx(10 + 10 * 100 * 0.1 / 3)


def test_networks_of_depthwise_layers_are_slower_on_a_cpu_than_their_multiply_adds_tell() -> None:
    totals: dict[Part, int] = {"train": 1000, "val": 0, "test": 0}
    light, usual = (TrainConfig(backbone=name) for name in (SHIPPED_BACKBONE, "resnet18"))
    cpu = [forecast(each, totals, None, has_gpu=False, cores=2) for each in (light, usual)]
    gpu = [forecast(each, totals, None, has_gpu=True, cores=2) for each in (light, usual)]
    assert cpu[0] is not None and cpu[1] is not None and gpu[0] is not None and gpu[1] is not None
    assert cpu[0].seconds > 0.9 * cpu[1].seconds
    assert gpu[0].seconds < gpu[1].seconds
