"""The user's settings of the app: what is read, and what is said of a slip."""

from pathlib import Path

import pytest

from mia_tui.config.user.keys import KeyTable, keys_in_force
from mia_tui.config.user.settings import UserConfig, load_user_config, user_fields
from mia_tui.errors import ConfigError
from mia_tui.paths import user_config, user_config_file

SCREENS = (
    KeyTable(
        "label",
        "on the labelling screen",
        {"assign": ("f1", "="), "next": ("right",), "page_next": ("pagedown",), "undo": ("ctrl+z",)},
        "classes",
    ),
    KeyTable("grid", "in the grid", {"mark": ("space",), "open": ("enter",), "undo": ("ctrl+z",)}, "classes"),
    KeyTable("classes", "in the list of classes", {"add": ("a",), "undo": ("ctrl+z",)}),
    KeyTable("home", "on the first screen", {"open": ("enter",), "undo": ("f1",)}, "text"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def load(file: Path, text: str) -> UserConfig:
    file.write_text(text, encoding="utf-8")
    return load_user_config(file, screens=SCREENS)


def refusal(file: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, text)
    return str(caught.value).replace(str(file), "config.toml")


def test_the_file_lies_in_the_users_folder_of_settings_and_looking_makes_nothing() -> None:
    assert user_config_file() == user_config() / "config.toml"
    assert user_config().name == "mia-tui"
    assert load_user_config(user_config_file(), screens=SCREENS) == UserConfig()
    assert not user_config().exists()


@pytest.mark.parametrize("text", ["", "\ufeff# nothing\n", "[keys]\n"])
def test_an_empty_file_is_the_defaults(file: Path, text: str) -> None:
    assert load(file, text) == UserConfig()


def test_every_setting_is_read(file: Path) -> None:
    text = """
        graphics = "Half"
        colours = "256"
        auto_advance = true
        keep_look = true
        list-width = 40
        toast_s = 3
        [keys]
        undo = ["Ctrl+Z", "f11"]
        next = "f12"
        page_next = []
    """
    assert load(file, text) == UserConfig(
        graphics="half",
        colours="256",
        auto_advance=True,
        keep_look=True,
        list_width=40,
        toast_s=3.0,
        keys={"undo": ("ctrl+z", "f11"), "next": ("f12",), "page_next": ()},
    )


def test_every_setting_explains_itself() -> None:
    assert [field.name for field in user_fields()] + ["keys"] == list(UserConfig.__struct_fields__)
    assert all(field.description.endswith(".") for field in user_fields())


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("@", "@"),
        ("+", "+"),
        ("!", "!"),
        ('\\"', '"'),
        ("F12", "f12"),
        (" ", "space"),
        ("Esc", "escape"),
        ("PgUp", "pageup"),
        ("ctrl+x", "ctrl+x"),
        ("alt+x", "alt+x"),
        ("shift+ctrl+left", "ctrl+shift+left"),
        ("shift+f3", "shift+f3"),
    ],
)
def test_keys_are_written_as_people_write_them(file: Path, written: str, key: str) -> None:
    assert load(file, f'keys.next = ["{written}"]').keys == {"next": (key,)}


@pytest.mark.parametrize(
    ("key", "end"),
    [
        ("crtl+z", "names the key 'crtl+z'. Did you mean ctrl+z?"),
        ("ctrl+pagedwn", "names the key 'ctrl+pagedwn'. Did you mean ctrl+pagedown?"),
        ("spcae", "names the key 'spcae'. Did you mean space?"),
        ("f21", "names the key 'f21'. Did you mean f2?"),
        ("", "names the key ''. A key is f1 to f20, a sign such as = or !, a name such as space or"),
        ("ctrl+", "names the key 'ctrl+'. A key is"),
        ("ctrl+]", "names the key 'ctrl+]'. A key is"),
        ("ctrl+5", "names the key 'ctrl+5'. A key is"),
        ("ctrl++", "names the key 'ctrl++'. A key is"),
        ("\\u001b", "names the key '\\\\x1b'. A key is"),
        ("ctrl+i", "names ctrl+i, which is tab to a terminal. Choose another key."),
        ("a", "names 'a': letters and digits belong to classes. A key is"),
        ("Ä", "names 'Ä': letters and digits belong to classes."),
        ("5", "names '5': letters and digits belong to classes."),
        ("shift+a", "names 'shift+a': letters and digits belong to classes."),
    ],
)
def test_a_key_that_is_none_or_belongs_to_classes_is_refused(file: Path, key: str, end: str) -> None:
    said = refusal(file, f'keys.undo = ["f1", "{key}"]')
    assert said.startswith(f"keys.undo in config.toml {end}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("grafics = 1", "There is no setting 'grafics', which config.toml names. Did you mean graphics?"),
        ("zzz = 1", "There is no setting 'zzz', which config.toml names. It takes graphics, colours,"),
        (
            'graphics = "tiff"',
            "graphics in config.toml is 'tiff'. It takes auto, kitty, iterm2, sixel, half or none.",
        ),
        ("graphics = 5", "graphics in config.toml is 5."),
        ("keep_look = 1", "keep_look in config.toml is 1. It takes true or false."),
        ("list_width = 5", "list_width in config.toml is 5 columns. It must be at least 10."),
        ("list_width = 5.5", "list_width in config.toml is 5.5. It takes a whole number."),
        ("toast_s = inf", "toast_s in config.toml is inf seconds. It must be a finite number."),
        ("list_width = 20\nlist-width = 20", "config.toml sets list_width twice."),
        ("keys = 5", "keys in config.toml is no table. A setting is a line such as"),
        (
            "keys.undoo = []",
            "There is no command 'undoo', which [keys] in config.toml names. Did you mean undo?",
        ),
        (
            "keys.zzz = []",
            "There is no command 'zzz', which [keys] in config.toml names. It takes assign, next,",
        ),
        ("keys.undo = 5", 'keys.undo in config.toml is 5. It takes a list of keys, such as ["f1", "="].'),
        ("keys.undo = [5]", "keys.undo in config.toml is [5]. It takes a list of keys"),
        ("keys.undo.a = 1", "keys.undo in config.toml is {'a': 1}. It takes a list of keys"),
        ('keys.undo = ["f5", "F5"]', "keys.undo in config.toml names f5 twice. Leave one out."),
        (
            'keys.undo = "f5"\nkeys.next = "f5"',
            "[keys] in config.toml gives f5 to undo and to next on the labelling screen. Leave one out.",
        ),
        (
            'keys.undo = "f1"',
            "[keys] in config.toml gives f1 to undo, and assign has it by default on the labelling screen. "
            "Give label.assign other keys as well, or none: [].",
        ),
        (
            'keys.grid.mark = "enter"',
            "[keys] in config.toml gives enter to mark, and open has it by default in the grid. "
            "Give grid.open other keys as well, or none: [].",
        ),
        (
            'keys.undo = "space"',
            "[keys] in config.toml gives space to undo, and mark has it by default in the grid.",
        ),
        (
            'keys.mark = "f5"\nkeys.grid.open = "f5"',
            "[keys] in config.toml gives f5 to open and to mark in the grid. Leave one out.",
        ),
        (
            'keys.grid.mark = "m"',
            "keys.grid.mark in config.toml names 'm': letters and digits belong to classes.",
        ),
        ('keys.undo = "m"', "keys.undo in config.toml names 'm': letters and digits belong to classes."),
        (
            'keys.home.open = "?"',
            "keys.home.open in config.toml names '?', which is typed there. Use a key such as f6.",
        ),
        (
            "keys.grid.marc = []",
            "There is no command 'grid.marc', which [keys] in config.toml names. Did you mean grid.mark?",
        ),
        (
            'keys.grid.mark = "f5"\nkeys."grid.mark" = "f6"',
            "keys.grid.mark in config.toml is set twice. Leave one of the lines out.",
        ),
        ("keys = ", "The settings file config.toml is not TOML: Invalid value"),
    ],
)
def test_a_slip_names_file_entry_and_what_is_allowed(file: Path, text: str, said: str) -> None:
    assert refusal(file, text).startswith(said)


def test_two_commands_may_change_keys_with_each_other(file: Path) -> None:
    config = load(file, 'keys.undo = "right"\nkeys.next = "ctrl+z"')
    assert config.keys == {"undo": ("right",), "next": ("ctrl+z",)}


def test_a_file_that_cannot_be_read_is_said(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read: it is a folder"):
        load_user_config(file, screens=SCREENS)


def in_force(config: UserConfig, screen: int) -> dict[str, tuple[str, ...]]:
    return keys_in_force(SCREENS[screen], config.keys)


def test_a_key_for_one_screen_counts_there_before_the_one_for_all_screens(file: Path) -> None:
    config = load(file, 'keys.undo = "f11"\nkeys.grid.undo = ["f12"]')
    assert config.keys == {"undo": ("f11",), "grid.undo": ("f12",)}
    assert [in_force(config, screen)["undo"] for screen in range(3)] == [("f11",), ("f12",), ("f11",)]


def test_a_screens_commands_may_be_named_in_quotes_too(file: Path) -> None:
    assert load(file, '[keys]\n"grid.mark" = []\n').keys == {"grid.mark": ()}
    assert in_force(load(file, "[keys.grid]\nmark = []\n"), 1)["mark"] == ()


def test_letters_may_be_keys_where_none_picks_a_class(file: Path) -> None:
    assert in_force(load(file, 'keys.classes.add = "n"'), 2)["add"] == ("n",)
    assert in_force(load(file, 'keys.add = "n"'), 2)["add"] == ("n",)


def test_where_a_line_is_typed_into_a_sign_stays_a_sign(file: Path) -> None:
    config = load(file, 'keys.undo = ["@"]')
    assert in_force(config, 0)["undo"] == ("@",)
    assert in_force(config, 3)["undo"] == ("f1",), "it keeps its own key there"
    assert in_force(load(file, 'keys.undo = ["@", "f12"]'), 3)["undo"] == ("f12",)
