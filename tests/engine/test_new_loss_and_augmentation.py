"""What it takes to add a loss and an augmentation: the files a developer edits, and all that follows from them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mia_tui

LOSS_NAME = '    "hinge": "largest margin between the classes",\n'
LOSS = """

@formula("hinge")
def _hinge(loss: LossInputs, config: TrainConfig) -> Tensor:
    return config.hinge_margin * loss.share
"""
AUGMENTATION = """

@augmentation("invert", stream=100, numbers=1)
def _invert(batch: AugmentedBatch, rows: Tensor, drawn: Tensor, config: TrainConfig) -> None:
    batch.replace(rows, lambda images: config.invert_level - images)
"""
LOSS_FIELD = """
    hinge_margin: Annotated[
        float, _loss("Margin of the hinge loss.", ge=0.0, only_if=has_value("loss", "hinge"))
    ] = 3.0
"""
AUGMENTATION_FIELDS = """
    invert: Annotated[float, _chance("inverted")] = 0.0
    invert_level: Annotated[float, _augment("Invert: what is white.", gt=0.0, only_if=is_on("invert"))] = 1.0
"""
IN_THE_FORM = """
from mia_tui.tui.training.form_cursor import FormCursor
from mia_tui.tui.training.form import Form
from mia_tui.tui.training.words import choice_words
form = Form()
cursor = FormCursor(form)
print(choice_words("loss")["hinge"])
print("hinge_margin" in cursor.names("Loss and metric"), "invert_level" in cursor.names("Augmentation"))
form.set_text("loss", "hinge")
form.set_text("invert", "1")
print("hinge_margin" in cursor.names("Loss and metric"), "invert_level" in cursor.names("Augmentation"))
form.set_text("hinge_margin", "-1")
print(form.faults)
"""
IN_THE_ENGINE = """
import torch
from mia_tui.config.check import make_config
from mia_tui.engine.data.augment import augment
from mia_tui.engine.training.losses import loss_terms
off = dict.fromkeys(("flip_horizontal", "flip_vertical", "rotate90"), 0.0)
config = make_config(flags={"loss": "hinge", "hinge_margin": 5.0, "invert": 1.0, **off})
print(loss_terms(config, torch.zeros(2, 3), torch.tensor([0, 1]))[0].tolist())
print(augment(torch.full((1, 1, 2, 2), 0.25), config, seed=0, epoch=0, samples=torch.tensor([0])).unique().item())
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with a loss and an augmentation more: a name, two functions, and their fields."""
    root = tmp_path_factory.mktemp("sources")
    package = root / "mia_tui"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(mia_tui.__file__).parent, package, ignore=ignored)
    _insert(package / "catalog" / "losses.py", LOSS_NAME, after=r"LOSSES: .*\n")
    _insert(package / "engine" / "training" / "losses.py", LOSS)
    _insert(package / "engine" / "data" / "augment.py", AUGMENTATION)
    _insert(package / "config" / "train" / "learning.py", LOSS_FIELD)
    _insert(package / "config" / "train" / "augmentation.py", AUGMENTATION_FIELDS)
    return root


def _insert(file: Path, text: str, *, after: str = r"\Z") -> None:
    old = file.read_text(encoding="utf-8")
    place = re.search(after, old)
    assert place is not None
    file.write_text(old[: place.end()] + text + old[place.end() :], encoding="utf-8")


def run(sources: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(sources), "COLUMNS": "200"}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_help_of_the_command_line_names_both_with_their_settings(sources: Path) -> None:
    text = run(sources, "-m", "mia_tui", "train", "--help")
    assert "kl" in text and "hinge" in text
    for option, words in (
        ("--hinge-margin", "Margin of the hinge loss. [at least 0, default 3]"),
        ("--invert", "How often an image is inverted: 0 is never, 1 is always."),
        ("--invert-level", "Invert: what is white. [over 0, default 1]"),
    ):
        assert re.search(rf"{option} [A-Z]+ +{re.escape(words)}", re.sub(r"\s+", " ", text)), option


def test_they_stand_in_the_settings_that_are_shown(sources: Path) -> None:
    flags = ("--loss", "hinge", "--hinge-margin", "2", "--invert", "0.5")
    text = run(sources, "-m", "mia_tui", "train", "--show-config", *flags)
    assert {'loss = "hinge"', "hinge_margin = 2.0", "invert = 0.5", "invert_level = 1.0"} <= set(
        text.splitlines()
    )


def test_the_form_lists_them_and_shows_their_settings_where_they_have_an_effect(sources: Path) -> None:
    words, before, after, faults = run(sources, "-c", IN_THE_FORM).splitlines()
    assert words == "largest margin between the classes"
    assert (before, after) == ("False False", "True True")
    assert "Hinge margin is -1. It must be at least 0." in faults


def test_the_engine_uses_them(sources: Path) -> None:
    loss, pixel = run(sources, "-c", IN_THE_ENGINE).splitlines()
    assert loss == "[5.0, 5.0]"
    assert float(pixel) == 0.75
