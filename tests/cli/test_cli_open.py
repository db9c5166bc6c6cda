"""`mia-tui [DATASET]`: which arguments open the app, and the sentences where it cannot be opened."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.cli.output.safe_stream import SafeStream
from mia_tui.config.user.keys import KeyTable
from mia_tui.config.user.settings import UserConfig
from mia_tui.paths import user_config_file


@dataclass
class App:
    """Stands for the app; `opened` is what it was last called with."""

    code: int = 0
    opened: dict[str, Any] = field(default_factory=dict)

    def open_app(self, dataset: Path | None, **options: Any) -> int:
        self.opened = {"dataset": dataset, **options}
        return self.code


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> App:
    """The app, on a terminal."""
    app = App()
    start, actions = ModuleType("start"), ModuleType("actions")
    vars(start)["open_app"] = app.open_app
    table = KeyTable("label", "on the labelling screen", {"undo": ("ctrl+z",)}, "classes")
    vars(actions)["SCOPES"] = {"label": table}
    monkeypatch.setitem(sys.modules, "mia_tui.tui.start", start)
    monkeypatch.setitem(sys.modules, "mia_tui.tui.keys.tables", actions)
    monkeypatch.setattr(SafeStream, "isatty", lambda self: True)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "1000")  # so that sentences stay on a line
    return app


def test_a_folder_opens_the_app_on_it(mia: Mia, app: App, tmp_path: Path) -> None:
    assert mia(tmp_path).code == 0
    user = UserConfig()
    assert app.opened == {
        "dataset": tmp_path,
        "state": None,
        "annotator": None,
        "graphics": "auto",
        "user": user,
        "tour": None,
    }


def test_alone_it_opens_the_app_without_a_folder(mia: Mia, app: App) -> None:
    assert mia().code == 0
    assert app.opened["dataset"] is None


@pytest.mark.parametrize("place", [0, 1, 2])
def test_options_stand_before_or_after_the_folder(mia: Mia, app: App, tmp_path: Path, place: int) -> None:
    pairs = [["--annotator", "ann"], ["--graphics=HALF"], ["--state", "s"]]
    before = [word for pair in pairs[:place] for word in pair]
    after = [word for pair in pairs[place:] for word in pair]
    assert mia(*before, tmp_path, *after).code == 0
    assert app.opened["dataset"] == tmp_path
    assert (app.opened["annotator"], app.opened["graphics"], app.opened["state"]) == (
        "ann",
        "half",
        Path("s"),
    )


def test_options_without_a_folder_reach_the_app(mia: Mia, app: App) -> None:
    assert mia("--graphics", "sixel").code == 0
    assert (app.opened["dataset"], app.opened["graphics"]) == (None, "sixel")


def test_a_folder_whose_name_begins_with_a_dash_comes_after_two_of_them(
    mia: Mia, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-cells").mkdir()
    assert mia("--annotator", "ann", "--", "-cells").code == 0
    assert (app.opened["dataset"], app.opened["annotator"]) == (Path("-cells"), "ann")


def test_the_code_of_the_app_is_the_code_of_the_command(mia: Mia, app: App, tmp_path: Path) -> None:
    app.code = 129
    assert mia(tmp_path).code == 129


def test_a_commands_name_wins_over_a_folder_of_that_name(
    mia: Mia, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("backbones").mkdir()
    assert "resnet18" in mia("backbones").out
    assert not app.opened
    assert mia("./backbones").code == 0
    assert app.opened["dataset"] == Path("backbones")


def test_the_users_settings_reach_the_app_and_the_option_wins(mia: Mia, app: App, tmp_path: Path) -> None:
    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text('graphics = "half"\nkeys.undo = ["f11"]\n')
    mia(tmp_path)
    assert app.opened["graphics"] == "half"
    assert app.opened["user"].keys == {"undo": ("f11",)}
    mia(tmp_path, "--graphics", "auto")
    assert app.opened["graphics"] == "auto"


def test_wrong_settings_of_the_user_are_reported_before_the_app_opens(
    mia: Mia, app: App, tmp_path: Path
) -> None:
    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text("[keys]\nundoo = ['f1']\n")
    answer = mia(tmp_path)
    assert (answer.code, answer.out, app.opened) == (2, "", {})
    assert answer.err.endswith("Did you mean undo?\n")


@pytest.mark.parametrize(
    ("words", "code", "start"),
    [
        (["./none"], 3, "There is no folder ./none. Check how it is spelt."),
        (["{here}/none/"], 3, "There is no folder {here}/none/."),
        (["traim"], 2, "There is no command or folder 'traim'. Did you mean train?"),
        (["cels"], 2, "There is no command or folder 'cels'. Did you mean cells or labels?"),
        (["--state", "s", "zzz"], 2, "There is no command or folder 'zzz'. The commands are demo, train,"),
        (["a.png"], 2, "a.png is an image. `mia-tui show a.png` prints it; `mia-tui .` opens its folder."),
        (["notes.txt"], 2, "notes.txt is neither a command nor a folder. The commands are demo,"),
        (["cells", "more"], 2, "Got unexpected extra argument (more). See `mia-tui --help`."),
        (
            ["cells", "train"],
            2,
            "The command train comes after the folder cells. Write the command first: `mia-tui train",
        ),
        (
            ["--state", "s", "runs", "list"],
            2,
            "--state comes before the command runs. Options of a command come",
        ),
        (
            ["cells", "--graphics", "no"],
            2,
            "Invalid value for '--graphics': 'no' is not one of 'auto', 'kitty',",
        ),
        (["cells", "--epochs", "3"], 2, "There is no option --epochs. See `mia-tui --help`."),
        (["--state", "a", "cells", "--state", "b"], 2, "--state is given twice. Leave one out."),
        (["cells", "--state"], 2, "Option '--state' requires an argument."),
    ],
)
def test_a_slip_is_answered_in_one_line_and_opens_nothing(
    mia: Mia,
    app: App,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    start: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cells").mkdir()
    Image.new("L", (2, 2)).save("a.png")
    Path("notes.txt").touch()
    answer = mia(*(word.format(here=tmp_path) for word in words))
    assert (answer.code, answer.out, app.opened) == (code, "", {})
    assert answer.err.startswith(start.format(here=tmp_path))
    assert answer.err.count("\n") == 1


def _no_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))


def _closed_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)


def _no_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SafeStream, "isatty", lambda self: False)


def _dumb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")


@pytest.mark.parametrize("lack", [_no_stdin, _closed_stdin, _no_stdout, _dumb])
@pytest.mark.parametrize("words", [[], ["."]])
def test_without_a_terminal_one_sentence_names_the_commands_that_need_none(
    mia: Mia,
    app: App,
    monkeypatch: pytest.MonkeyPatch,
    lack: Callable[[pytest.MonkeyPatch], None],
    words: list[str],
) -> None:
    lack(monkeypatch)
    answer = mia(*words)
    assert (answer.code, answer.out, app.opened) == (2, "", {})
    assert answer.err.startswith("The app needs a terminal")
    assert all(name in answer.err for name in ("labels import", "train", "predict"))
    assert answer.err.count("\n") == 1


def test_help_shows_both_ways_and_the_options_of_the_app(mia: Mia) -> None:
    out = mia("--help").out
    assert out.startswith("Usage: mia-tui [DATASET] [OPTIONS]\n       mia-tui COMMAND [ARGS]...\n")
    assert all(option in out for option in ("--state", "--annotator NAME", "--graphics"))


def test_help_is_shown_behind_a_folder_as_well(mia: Mia, app: App, tmp_path: Path) -> None:
    assert mia(tmp_path, "--help").out == mia("--help").out
    assert not app.opened
