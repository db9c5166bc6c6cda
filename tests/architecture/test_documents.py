"""The README and the code tell the same."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

import mia_tui
from mia_tui.catalog.losses import LossName
from mia_tui.catalog.optimizers import OptimizerName
from mia_tui.catalog.schedules import ScheduleName
from mia_tui.cli.main import COMMANDS
from mia_tui.config.fields import fields
from mia_tui.config.user import user_fields
from mia_tui.runs.list.words import STATUS_WORDS
from mia_tui.tui.keys.bindings import shown_key
from mia_tui.tui.keys.tables import SCOPES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_KEY = r".|F\d+|Enter|Space|Esc|Tab|PgDn|PgUp|Ctrl\+."


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"mia-tui {name}" in README


@pytest.mark.parametrize("choice", [*get_args(LossName), *get_args(OptimizerName), *get_args(ScheduleName)])
def test_every_loss_optimizer_and_schedule_stands_in_the_readme(choice: str) -> None:
    assert f"`{choice}`" in README


def test_the_readme_names_no_option_that_train_does_not_have() -> None:
    known = {word for field in fields() for word in field.option.split("/")}
    others = "--detach --json --resume --run --out --dataset --state --config --recipe"
    others += " --format --classes --tta --help --show-config --annotator --graphics --after --overwrite"
    others += " --include-missing --dist --yes --tag --as --shard --join"
    others += " --array --cpus-per-task --requeue --dependency --wrap"  # of Slurm
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README))
    assert named <= known | set(others.split())


def test_the_places_where_things_go_are_there() -> None:
    text = mia_tui.__doc__ or ""
    places = set(
        re.findall(
            r"\b[a-z_]+(?:/[a-z_]+)*(?:\.py|/__init__\.py|/)(?!\w)", text[text.index("Where things") :]
        )
    )
    assert len(places) > 15
    assert not [place for place in sorted(places) if not (ROOT / "mia_tui" / place).exists()]


@pytest.mark.parametrize("setting", [field.name for field in user_fields()])
def test_every_setting_of_the_app_stands_in_the_readme(setting: str) -> None:
    assert f"\n{setting} = " in README


def test_the_readme_names_the_keys_that_the_app_has() -> None:
    known = {shown_key(key) for action in SCOPES["label"].actions for key in action.keys} | {"Delete", "\\|"}
    table = README[README.index("| key | does |") : README.index("The frame is solid")]
    named = re.findall(r"`([^`]+)`", table)
    assert {"F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9"} <= set(named) <= known


def test_the_readme_names_the_keys_of_form_run_and_table_of_runs() -> None:
    section = README[README.index("## Training from the app") : README.index("## Training settings")]
    form, run, table = (section.index(start) for start in ("**Ctrl+T", "**The run screen", "**Ctrl+U"))
    for scope, words in (
        ("train", section[form:run]),
        ("run", section[run:table]),
        ("runs", section[table:]),
    ):
        known = {shown_key(key) for action in SCOPES[scope].actions for key in action.keys}
        named = {word for word in re.findall(r"`([^`\n]+)`", words) if re.fullmatch(_KEY, word)}
        assert named and named <= known, scope


@pytest.mark.parametrize("scope", SCOPES)
def test_the_readme_names_every_screen_whose_keys_can_be_changed(scope: str) -> None:
    settings = README[README.index("**Settings**") : README.index("## Labels")]
    assert f"`{scope}`" in settings


@pytest.mark.parametrize("status", ["waiting", "running", "stopped", "failed", "lost", "unknown"])
def test_the_readme_says_what_a_state_of_a_run_means(status: str) -> None:
    assert status in STATUS_WORDS
    assert re.search(rf"^\| [a-z, ]*\b{status}\b[a-z, ]* \|", README, re.MULTILINE)


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
