"""What a report says in words: true to what the run recorded, and nothing more."""

import json
from pathlib import Path

import numpy as np
import pytest
from report_support import HOSTILE, make_evaluation, make_training, samples_of, training_events
from run_support import make_predict_job

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.config.fields import fields
from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder
from mia_tui.report.facts import RunFacts, read_facts_of_run
from mia_tui.report.numbers import compute_numbers
from mia_tui.report.words.augmentations import augmentations_in_words
from mia_tui.report.words.checklist import checklist
from mia_tui.report.words.limits import limits
from mia_tui.report.words.literature import network_citation
from mia_tui.report.words.methods import methods_paragraph
from mia_tui.report.words.model_readme import model_readme
from mia_tui.report.words.settings import setting_rows
from mia_tui.runs.record.decision import Decision
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir

CHANCES = [field.name for field in fields() if field.description.startswith("How often an image is ")]
"""How often each augmentation happens."""


def methods(run: RunDir, **changed: object) -> str:
    facts = facts_of(run, **changed)
    parts = [compute_numbers(part, facts.decision) for part in facts.parts]
    return methods_paragraph(facts, parts[0] if parts else None)


def facts_of(run: RunDir, **changed: object) -> RunFacts:
    facts = read_facts_of_run(run)
    for name, value in changed.items():
        object.__setattr__(facts, name, value)
    return facts


def limits_of(run: RunDir) -> str:
    facts = read_facts_of_run(run)
    return "\n".join(limits(facts, tuple(compute_numbers(part) for part in facts.parts)))


def test_the_methods_tell_data_network_optimisation_and_results(tmp_path: Path) -> None:
    said = methods(make_training(tmp_path / "cells"))
    assert "3 classes (cat, dog and owl)" in said
    assert "240 labelled images were used: 120 for training, 60 for validation and 60 for testing." in said
    assert "divided at random" in said and "(seed 0)" in said
    assert "(224 × 224 pixels) with bicubic interpolation" in said
    assert "initialised at random" in said and "AdamW (learning rate 0.001, weight decay 0.01" in said
    assert "no less than 1e-6" in said and "The loss was cross entropy." in said
    assert "trained for 2 epochs (seed 0)" in said
    assert "weights of epoch 2, which had the lowest validation loss, were kept" in said
    assert "60 images of the validation part, which were not trained on: accuracy 0.850" in said
    assert "PyTorch 2.9.0, timm 1.0.31 and Python 3.11.7 on CPU, 2 threads and took 2 minutes." in said


def test_what_did_not_happen_is_not_claimed(tmp_path: Path) -> None:
    said = methods(make_training(tmp_path / "cells", events=training_events(device="")))
    assert not [word for word in ("resumed", "GPU", "bf16", " on ,", "ImageNet", "None") if word in said]


@pytest.mark.parametrize(
    ("arithmetic", "words"),
    [
        ("bf16", "on CPU, 2 threads in mixed precision (bfloat16) and took"),
        ("fp32", "on CPU, 2 threads and took"),
    ],
)
def test_mixed_precision_is_told(tmp_path: Path, arithmetic: str, words: str) -> None:
    events = training_events(arithmetic=arithmetic)
    assert words in methods(make_training(tmp_path / "cells", events=events))


@pytest.mark.parametrize("chance", CHANCES)
def test_every_augmentation_has_words_with_its_probability(chance: str) -> None:
    off = dict.fromkeys(CHANCES, 0.0)
    assert augmentations_in_words(TrainConfig(**off)) == []
    words = augmentations_in_words(TrainConfig(**{**off, chance: 0.37}))
    assert len(words) == 1 and "(probability 0.37)" in words[0]


def test_every_range_of_an_augmentation_is_named() -> None:
    on = dict.fromkeys(CHANCES, 0.5)
    before = augmentations_in_words(TrainConfig(**on))
    ranges = [field for field in fields() if field.group == "Augmentation" and field.name not in CHANCES]
    assert ranges
    for field in ranges:
        assert isinstance(field.default, float)
        changed = TrainConfig(**{**on, field.name: field.default * 0.93})
        assert augmentations_in_words(changed) != before, field.name


def test_an_image_and_an_epoch_are_not_plural(tmp_path: Path) -> None:
    samples = [Sample("a.png", 0, "train"), Sample("b.png", 0, "val")]
    run = make_training(
        tmp_path / "cells",
        samples=samples,
        classes=("cat",),
        epochs=1,
        batch_size=1,
        warmup_epochs=1.0,
        events=training_events(epochs=1),
    )
    said = methods(run)
    assert "1 class (cat)" in said and "in batches of 1 image;" in said and "for 1 epoch (seed" in said
    assert "the 1 image of the validation part" in said
    assert not [word for word in ("1 images", "1 classes", "1 epochs") if word in said]


def test_a_resumed_training_says_how_often(tmp_path: Path) -> None:
    said = methods(make_training(tmp_path / "cells", events=training_events(resumed=True)))
    assert "interrupted and resumed from its last checkpoint once" in said


@pytest.mark.parametrize(
    ("outcome", "early_stop", "words"),
    [
        ("finished", 3, "Training ended after 2 epochs (seed 0), since 3 epochs had brought no improvement."),
        ("stopped", 0, "Training was ended after 2 of 9 epochs (seed 0)."),
    ],
)
def test_a_training_that_ended_early_says_why(
    tmp_path: Path, outcome: str, early_stop: int, words: str
) -> None:
    events = training_events(outcome=outcome)
    assert words in methods(make_training(tmp_path / "cells", events=events, epochs=9, early_stop=early_stop))


def test_parts_that_are_folders_are_not_said_to_be_random(tmp_path: Path) -> None:
    samples = [
        Sample(f"{part}/{number}.png", number % 3, part) for part in ("train", "val") for number in range(9)
    ]
    said = methods(make_training(tmp_path / "cells", samples=samples))
    assert "The parts were given by the folders of the images. " in said and "at random, in" not in said


def test_groups_that_stay_together_are_named(tmp_path: Path) -> None:
    samples = samples_of(60, 3, name="slide{:04}.png")
    said = methods(make_training(tmp_path / "cells", samples=samples, group_by=r"slide(\d+)"))
    assert r"images whose paths agree in the pattern “slide(\d+)” were kept in one part (seed 0)." in said


def test_weights_losses_and_options_that_were_chosen_are_named(tmp_path: Path) -> None:
    said = methods(
        make_training(
            tmp_path / "cells",
            weights="imagenet",
            loss="focal",
            focal_gamma=1.5,
            class_weights="cat=2",
            label_smoothing=0.1,
            ema_decay=0.99,
            drop_rate=0.2,
            optimizer="sgd",
            schedule="step",
            metric="macro_f1",
            geometry="letterbox",
        )
    )
    assert "started from weights learned on ImageNet (timm, resnet18.a1_in1k)" in said
    assert "focal loss (gamma 1.5) with label smoothing 0.1 and weights of classes set by hand (cat 2" in said
    assert "Dropout of 0.2 before the last layer and an exponential moving average" in said
    assert "SGD with Nesterov momentum (learning rate 0.01, momentum 0.9, weight decay 0.0001" in said
    assert "multiplied by 0.5 every 25 epochs" in said and "highest validation macro F1" in said
    assert "black borders, without distortion" in said


def test_a_threshold_that_was_chosen_is_told_with_what_it_does(tmp_path: Path) -> None:
    decision = Decision(
        temperature=1.4, threshold=0.7, part="val", images=60, coverage=0.9, accuracy=0.95, chosen_at=1.0
    )
    said = methods(make_training(tmp_path / "cells"), decision=decision)
    assert "temperature scaling (1.4, chosen on 60 images of the validation part)" in said
    assert "probability below 0.7" in said and "of the evaluated images were classified, " in said


def test_a_threshold_is_told_with_the_images_that_it_answers_at_its_temperature(tmp_path: Path) -> None:
    decision = Decision(
        temperature=3.0, threshold=0.7, part="val", images=60, coverage=0.9, accuracy=0.95, chosen_at=1.0
    )
    facts = facts_of(make_training(tmp_path / "cells"), decision=decision)
    scores = facts.parts[0].results.log_probabilities
    assert scores is not None
    powers = np.exp(scores.astype(np.float64) / 3.0)
    sure = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    assert 0 < (sure >= 0.7).mean() < (np.exp(scores.max(axis=1)) >= 0.7).mean()
    answered = compute_numbers(facts.parts[0], decision).answered
    assert answered is not None and answered.coverage == pytest.approx((sure >= 0.7).mean())


def test_each_method_of_the_intervals_is_named_with_its_figures(tmp_path: Path) -> None:
    said = methods(make_training(tmp_path / "cells"))
    assert (
        "Brackets hold 95 % intervals (Wilson, 60 images for accuracy; bootstrap over 60 images for balanced "
        "accuracy and macro F1)." in said
    )


def test_an_evaluation_without_its_training_claims_nothing_of_it(tmp_path: Path) -> None:
    samples = samples_of(60, 3, parts=("test",))
    run = make_evaluation(tmp_path / "cells", samples)
    facts = read_facts_of_run(run)
    assert facts.training is None and [part.results.split for part in facts.parts] == ["test"]
    said = methods(run)
    assert "trained for" not in said and "evaluated on 60 images of cells: " in said
    assert "not trained on" not in said
    assert "training of the network is not at hand" in limits_of(run)


def test_limits_name_small_classes_the_missing_test_part_and_unknown_groups(tmp_path: Path) -> None:
    samples = samples_of(60, 3, parts=("train", "val"))
    said = limits_of(make_training(tmp_path / "cells", samples=samples))
    assert "There is no test part. The validation part chose the best epoch" in said
    assert "Fewer than 50 evaluated images are of cat (10), dog (10), owl (10)" in said
    assert "not known which images belong together" in said
    assert "One network was trained, with the seed 0" in said


def test_limits_tell_of_names_that_look_like_slides(tmp_path: Path) -> None:
    samples = [
        Sample(f"slide{number % 10:02}_cell{number}.png", number % 3, "val" if number % 2 else "train")
        for number in range(120)
    ]
    assert "File names look like 10 slides" in limits_of(make_training(tmp_path / "cells", samples=samples))


def test_limits_tell_that_a_test_part_was_not_evaluated_and_images_were_trained_on(tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells")
    assert "The test part has not been evaluated yet" in limits_of(run)
    trained = make_training(tmp_path / "others", split="train")
    assert "figures are of images that the network was trained on" in limits_of(trained)
    evaluation = make_evaluation(tmp_path / "cells", samples_of(60, 3), split="all", trained_on=7)
    assert "7 images of the 60 evaluated ones were trained on" in limits_of(evaluation)


def test_a_run_without_probabilities_says_so_and_names_the_way_out(tmp_path: Path) -> None:
    said = limits_of(make_training(tmp_path / "cells", scores=False))
    assert "probabilities of single images were not kept" in said and "mia-tui evaluate" in said


def test_settings_that_were_changed_are_marked() -> None:
    rows = {row.name: row for row in setting_rows(TrainConfig(epochs=7, blur=0.2))}
    assert [name for name, row in rows.items() if row.is_changed] == ["epochs", "blur"]
    assert rows["epochs"].value == "7 epochs" and rows["blur_sigma"].has_effect
    assert not rows["focal_gamma"].has_effect and len(rows) == len(fields())


def test_the_settings_of_an_evaluation_are_a_table_too(tmp_path: Path) -> None:
    run = make_evaluation(tmp_path / "cells", samples_of(6, 3), tta=True)
    rows = {row.name: row for row in setting_rows(run.job().config)}
    assert rows["tta"].is_changed and rows["tta"].value == "yes" and not rows["batch_size"].is_changed


def test_the_checklist_tells_what_is_left_to_the_authors(tmp_path: Path) -> None:
    facts = read_facts_of_run(make_training(tmp_path / "cells"))
    object.__setattr__(facts, "weights", tmp_path / "best.safetensors")
    plain = {item.title: item.answered for item in checklist(facts, in_archive=False, examples=0)}
    packed = {item.title: item.answered for item in checklist(facts, in_archive=True, examples=3)}
    for title in ("Access to the model", "Example or validation data"):
        assert (plain[title], packed[title]) == ("yours", "archive")
    assert plain["Limitations"] == "here" and packed["Cloud hosted or container"] == "yours"


def test_every_network_of_the_catalogue_has_a_work_to_cite() -> None:
    assert not [name for name in BACKBONES if network_citation(name) is None]
    assert network_citation("timm:vit_tiny") is None
    found = network_citation("mobilenetv2")
    assert found is not None and "V2" in found.text


def test_limits_tell_that_a_training_was_stopped(tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells", events=training_events(outcome="stopped"), epochs=9)
    assert "did not come to its end: it was stopped after 2 of 9 epochs." in limits_of(run)


def test_hostile_names_are_text_in_the_readme_of_a_model(tmp_path: Path) -> None:
    facts = facts_of(make_training(tmp_path / "a: b #<i>", classes=HOSTILE), title="x: [y]\n---\n<script>")
    numbers = compute_numbers(facts.parts[0])
    said = methods_paragraph(facts, numbers)
    text = model_readme(facts, numbers, methods=said, limits=limits(facts, (numbers,)))
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    assert "<" not in body and "\x1b" not in text
    name = next(line for line in head.splitlines() if line.startswith("- name: "))
    assert json.loads(name.removeprefix("- name: ")) == r"x: [y]\x0a---\x0a<script>"
    assert r"\{\{ 7\*7 \}\}" in body and "value: 0.85" in head


def test_a_prediction_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mia").mkdir()
    run = RunDir.create(StateFolder(tmp_path / "mia"), make_predict_job(tmp_path / "mia"), name="predict")
    with pytest.raises(RunError, match="neither a training nor an evaluation"):
        read_facts_of_run(run)
