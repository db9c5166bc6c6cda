"""The README and the code tell the same; for the manual see tests/unit/test_manual.py."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest
from command_options import options_of_all_commands

import mia_tui
from mia_tui.catalog.losses import LossName
from mia_tui.catalog.optimizers import OptimizerName
from mia_tui.catalog.schedules import ScheduleName
from mia_tui.cli.main import COMMANDS
from mia_tui.runs.list.words import STATUS_WORDS
from mia_tui.tui.keys.bindings import shown_key
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.manual.text import page

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"mia-tui {name}" in README


@pytest.mark.parametrize("choice", [*get_args(LossName), *get_args(OptimizerName), *get_args(ScheduleName)])
def test_every_loss_optimizer_and_schedule_stands_in_the_readme(choice: str) -> None:
    assert f"`{choice}`" in README


def test_the_readme_names_no_option_that_no_command_has() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README))
    assert named <= options_of_all_commands()


def test_the_places_where_things_go_are_there() -> None:
    text = mia_tui.__doc__ or ""
    places = set(
        re.findall(
            r"\b[a-z_]+(?:/[a-z_]+)*(?:\.py|/__init__\.py|/)(?!\w)", text[text.index("Where things") :]
        )
    )
    assert len(places) > 15
    assert not [place for place in sorted(places) if not (ROOT / "mia_tui" / place).exists()]


def test_a_stranger_is_told_through_which_modules_things_pass() -> None:
    text = mia_tui.__doc__ or ""
    journeys = re.split(r"\n    (?=\S)", text[text.index("What happens") :])[1:]
    assert len(journeys) >= 8
    for journey in journeys:
        assert len(re.findall(r"\w+\.py\b", journey)) >= 3, journey


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(README.splitlines()) <= 200


def test_the_keys_that_the_readme_names_are_those_of_the_app() -> None:
    """The manual puts the keys in by itself; here they are written down."""
    keys = {shown_key(key) for scope in SCOPES.values() for action in scope.actions for key in action.keys}
    named = set(re.findall(r"\b(?:F\d+|Ctrl\+[A-Z])\b", README))
    assert {"F1", "F2", "F12"} <= named <= keys
    of_label = {shown_key(key): action.id for action in SCOPES["label"].actions for key in action.keys}
    meant = {
        "F1": "assign",
        "F2": "assign_next",
        "F5": "filter",
        "F6": "order",
        "F7": "grid",
        "F8": "classes",
    }
    meant |= {
        "F9": "auto",
        "F12": "manual",
        "Ctrl+T": "train",
        "Ctrl+U": "runs",
        "Ctrl+E": "predict",
        "Ctrl+K": "ask",
        "Ctrl+D": "review",
        "Ctrl+P": "command_palette",
    }
    assert {key: of_label[key] for key in meant} == meant and named <= set(meant)


@pytest.mark.parametrize("status", ["waiting", "running", "stopped", "failed", "lost", "unknown"])
def test_the_manual_says_what_a_state_of_a_run_means(status: str) -> None:
    assert status in STATUS_WORDS
    assert re.search(rf"^\| [a-z, ]*\b{status}\b[a-z, ]* \|", page("training", {}), re.MULTILINE)


def test_every_picture_of_the_readme_is_there() -> None:
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).is_file(), picture


def test_the_check_runs_the_test_command_of_the_readme() -> None:
    command, tests = re.search(r"\n(pip install -e [^\n]+) && (pytest[^\n]*)\n", README).groups()  # type: ignore[union-attr]
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command.removeprefix("pip install ") in steps and f"\n{tests}" in steps


_NAMED_KEY = re.compile(
    r"\b(F([2-9]|1\d)|Ctrl\+[A-Z]|Enter|Esc|Space|Tab|Del|PgUp|PgDn|Backspace)\b"
    r"|\b[A-Z] (shows|goes|resumes|trains|starts|opens|takes|brings|again)\b"
)


def test_no_sentence_of_the_app_names_a_key_that_the_user_may_have_changed() -> None:
    """`KeyedScreen.key` and `said_key` look it up."""
    named = []
    for path in (ROOT / "mia_tui" / "tui").rglob("*.py"):
        if path.parent.name in ("keys", "tables"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
            ):
                named += [(path.name, node.value)] if _NAMED_KEY.search(node.value) else []
    assert named == []
