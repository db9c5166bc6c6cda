"""What a person chose in the app is there at the next start, and nothing goes wrong where it cannot be kept."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mia_tui.config.user.kept import KeptSettings, keep, keep_offered, kept_settings
from mia_tui.paths import user_state

FILE = "kept-settings"


def test_the_last_choice_counts_and_leaves_the_others() -> None:
    assert kept_settings() == KeptSettings()
    keep(theme="mia-light", auto_advance=True)
    keep(auto_advance=False)
    assert kept_settings() == KeptSettings(theme="mia-light", auto_advance=False)
    keep(theme=None)
    assert kept_settings() == KeptSettings(auto_advance=False)


def test_a_choice_that_does_not_exist_is_a_fault_of_the_program() -> None:
    with pytest.raises(TypeError):
        keep(colour="red")


def test_several_apps_at_once_keep_all_that_was_chosen() -> None:
    with ThreadPoolExecutor(4) as apps:
        list(apps.map(lambda number: keep(**{("theme", "auto_advance")[number % 2]: None}), range(40)))
        list(apps.map(lambda choice: keep(**choice), [{"theme": "one"}, {"auto_advance": True}]))
    assert kept_settings() == KeptSettings(theme="one", auto_advance=True)


@pytest.mark.parametrize(
    "damage", [b'{"theme":"cu', b"\xff\xfe\n[[[[", b'{"theme":3}\n', b"null\n", b"\0" * 99]
)
def test_a_damaged_line_costs_itself_only(damage: bytes) -> None:
    keep(theme="one")
    with (user_state() / FILE).open("ab") as file:
        file.write(damage)
    keep(auto_advance=True)
    assert kept_settings() == KeptSettings(theme="one", auto_advance=True)


def test_a_file_that_is_too_large_to_be_read_is_begun_anew() -> None:
    (user_state() / FILE).write_bytes(b"\0" * (2 << 20))
    keep(theme="one")
    keep(auto_advance=True)
    assert kept_settings() == KeptSettings(theme="one", auto_advance=True)


def test_settings_of_a_later_version_are_no_damage() -> None:
    (user_state() / FILE).write_text('{"theme":"one","added_later":1}\n')
    assert kept_settings() == KeptSettings(theme="one")


def test_the_file_is_private_and_stays_small() -> None:
    keep(theme="one")
    for number in range(1000):
        keep(auto_advance=number % 2 == 0)
        if number % 10 == 0:
            keep_offered(f"/data/{number}/labels.csv")
    file = user_state() / FILE
    assert file.stat().st_size < 40_000
    assert file.stat().st_mode & 0o077 == 0 or user_state().stat().st_mode & 0o077 == 0
    assert kept_settings().theme == "one"
    assert len(kept_settings().offered) == 100 and kept_settings().offered[-1] == "/data/990/labels.csv"


def test_nothing_happens_where_nothing_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("in the way")
    keep(theme="one")
    assert kept_settings() == KeptSettings()
