"""`mia-tui show`: one image in the terminal, or in a pipe."""

import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pyte
import pytest
from cli_support import Mia, make_terminal, on_terminal
from image_support import deep_png, huge_png
from PIL import Image
from run_support import python, run_python

from mia_tui.cli import show
from mia_tui.cli.output.pictures import draw
from mia_tui.paths import user_config_file

SGR = re.compile(r"\x1b\[[0-9;]*m")
QUERIES = ("\x1b[c", "\x1b[0c", "\x1b[16t", "\x1b[14t", "\x1b[>q", "\x1b[6n", "a=q")


@pytest.fixture
def red(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 32), (255, 0, 0)).save(tmp_path / "red.png")
    return tmp_path / "red.png"


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 80, 3)).astype(np.uint8)


def test_in_a_pipe_an_image_is_made_of_grey_characters(mia: Mia, tmp_path: Path) -> None:
    gradient = np.linspace(0, 255, 80).astype(np.uint8)[None].repeat(40, axis=0)
    Image.fromarray(gradient).save(tmp_path / "a.png")
    answer = mia("show", tmp_path / "a.png")
    *picture, facts = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert facts == "a.png: 80 × 40 pixels, 8 bits, grey"
    assert len(picture) == 20 and {len(line) for line in picture} == {80}
    assert set(picture[0]) == set(" ░▒▓█")
    assert "\x1b" not in answer.out


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (8, 2), (200, 50)])
def test_half_blocks_go_into_a_pipe_when_asked_for(mia: Mia, red: Path, columns: int, rows: int) -> None:
    out = mia("show", red, "--graphics", "half", "--width", columns).out
    *picture, _ = out.splitlines()
    assert [SGR.sub("", line) for line in picture] == ["▀" * columns] * rows
    assert "38;2;255;0;0" in out and "48;2;255;0;0" in out


@pytest.mark.parametrize(
    ("graphics", "start"), [("kitty", "\x1b_G"), ("sixel", "\x1bP"), ("iterm2", "\x1b]1337;File=inline=1;")]
)
def test_sequences_go_into_a_pipe_when_asked_for(mia: Mia, red: Path, graphics: str, start: str) -> None:
    answer = mia("show", red, "--graphics", graphics)
    assert answer.code == 0
    assert start in answer.out
    assert answer.out.endswith("red.png: 64 × 32 pixels, 8 bits, colour\n")


def test_without_graphics_only_the_facts_are_reported(mia: Mia, red: Path) -> None:
    assert mia("show", red, "--graphics", "none").out == "red.png: 64 × 32 pixels, 8 bits, colour\n"


def test_on_a_terminal_it_is_asked_and_the_image_fits_into_it(
    mia: Mia, red: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = on_terminal(monkeypatch, make_terminal())
    monkeypatch.setattr(show, "_screen_rows", lambda: 12)
    monkeypatch.setenv("COLUMNS", "60")
    out = mia("show", red).out
    assert asked == ["auto"]
    screen = pyte.Screen(60, 12)
    pyte.Stream(screen).feed(out.replace("\n", "\r\n"))
    assert screen.display[:10] == [f"{'▀' * 40:60}"] * 10
    assert screen.buffer[0][0].fg == screen.buffer[0][0].bg == "ff0000"
    assert screen.display[10].startswith("red.png: 64 × 32 pixels")
    mia("show", red, "--graphics", "Sixel")
    assert asked == ["auto", "sixel"]


def test_what_the_terminal_cannot_do_is_reported_on_stderr(
    mia: Mia, red: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, make_terminal(note="This terminal has no sixel."))
    assert mia("show", red, "--graphics", "sixel").err == "This terminal has no sixel.\n"


@pytest.mark.parametrize(
    ("graphics", "begin"), [("kitty", "\x1b_G"), ("sixel", "\x1b7"), ("iterm2", "\x1b7\x1b[4A\x1b]1337;")]
)
def test_pixels_are_painted_over_blank_lines_and_the_cursor_comes_out_below(
    pixels: np.ndarray, graphics: str, begin: str
) -> None:
    text = draw(pixels, (10, 4), make_terminal(graphics))
    assert begin in text
    assert text.count("\n") == 4
    plain = re.sub(r"\x1b(_G|P|\]1337).*?(\x1b\\|\x07)", "", text, flags=re.DOTALL)
    screen = pyte.Screen(20, 10)
    pyte.Stream(screen).feed(f"before\n{plain}after".replace("\n", "\r\n"))
    assert [row.strip() for row in screen.display[:6]] == ["before", "", "", "", "", "after"]


@pytest.mark.parametrize(
    ("brand", "cells"),
    [("kitty(0.28.0)", 40), ("kitty(1.0)", 40), ("ghostty 1.2.0", 40), ("kitty(0.26.5)", 0), ("", 0)],
)
def test_only_a_kitty_that_knows_placeholders_gets_them(pixels: np.ndarray, brand: str, cells: int) -> None:
    text = draw(pixels, (10, 4), make_terminal("kitty", brand=brand))
    assert text.startswith("\x1b_G")
    assert text.count("\U0010eeee") == cells
    assert text.count("\n") == 4


def test_in_tmux_pictures_are_wrapped_by_our_own_encoder(pixels: np.ndarray) -> None:
    text = draw(pixels, (10, 4), make_terminal("kitty", multiplexer="tmux"))
    assert "\x1bPtmux;\x1b\x1b_G" in text
    assert "▀" in draw(pixels, (10, 4), make_terminal("half", multiplexer="tmux"))


@pytest.mark.parametrize("colours", ["true", "256", "16"])
def test_half_blocks_keep_to_the_colours_of_the_terminal(pixels: np.ndarray, colours: str) -> None:
    text = draw(pixels, (10, 4), make_terminal("half", colours))
    assert ("38;2;" in text) == (colours == "true")
    assert ("38;5;" in text) == (colours == "256")


def test_without_utf_8_no_block_is_printed(pixels: np.ndarray) -> None:
    assert draw(pixels, (10, 4), make_terminal("half", "256", unicode=False)).isascii()


def test_drawing_asks_the_terminal_nothing_and_leaves_stdout_alone() -> None:
    code = """
        import io, os
        import numpy as np
        from mia_tui.cli.output.pictures import draw
        from mia_tui.terminal.model import Terminal

        class Tty(io.StringIO):
            def isatty(self):
                return True

        sys.__stdout__ = tty = Tty()
        sizes = []
        for graphics in ("kitty", "sixel", "half"):
            terminal = Terminal(graphics, "true", 7, 15, True)
            text = draw(np.zeros((30, 30, 3), np.uint8), (4, 2), terminal)
            assert text
            sizes.append('"1;1;28;30' in text)
        assert sys.__stdout__ is tty and tty.getvalue() == ""
        assert "TEXTUAL_CELL_WIDTH" not in os.environ
        assert sizes == [False, True, False], sizes
    """
    run_python(code)


@pytest.mark.parametrize("graphics", ["kitty", "sixel", "iterm2", "half"])
def test_no_question_is_hidden_in_what_is_printed(pixels: np.ndarray, graphics: str) -> None:
    text = draw(pixels, (10, 4), make_terminal(graphics))
    assert not any(query in text for query in QUERIES)


def test_an_image_is_shown_upright_and_16_bits_through_their_window(mia: Mia, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (64, 32)).save(tmp_path / "turned.jpg", exif=exif)
    assert "32 × 64 pixels" in mia("show", tmp_path / "turned.jpg", "--graphics", "none").out
    values = np.full((40, 40, 1), 1000, np.uint16)
    values[:, 20:] = 1200
    (tmp_path / "deep.png").write_bytes(deep_png(values.repeat(3, axis=2)))
    answer = mia("show", tmp_path / "deep.png", "--width", 8)
    *picture, facts = answer.out.splitlines()
    assert facts == "deep.png: 40 × 40 pixels, 16 bits, colour (uint16)"
    assert set(picture) == {"    ████"}


@pytest.mark.parametrize(
    ("mode", "suffix", "depth"),
    [
        ("1", "png", "1 bit, black and white"),
        ("L", "png", "8 bits, grey"),
        ("LA", "png", "8 bits, grey, with transparency"),
        ("P", "png", "8 bits, palette"),
        ("RGB", "jpg", "8 bits, colour"),
        ("RGBA", "png", "8 bits, colour, with transparency"),
        ("CMYK", "jpg", "8 bits, print colours (CMYK)"),
        ("I;16", "tif", "16 bits, grey (uint16)"),
        ("I", "tif", "32 bits, grey, with sign (int32)"),
        ("F", "tif", "32 bits, grey, with decimals (float32)"),
    ],
)
def test_the_depth_is_reported_in_words(mia: Mia, tmp_path: Path, mode: str, suffix: str, depth: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new(mode, (5, 4)).save(path)
    answer = mia("show", path)
    assert answer.code == 0
    assert answer.out.endswith(f"a.{suffix}: 5 × 4 pixels, {depth}\n")


def test_a_frame_of_a_stack_is_shown(mia: Mia, tmp_path: Path) -> None:
    black, white = Image.new("L", (8, 16)), Image.new("L", (8, 16), 255)
    black.save(tmp_path / "s.tif", save_all=True, append_images=[white])
    assert (
        mia("show", tmp_path / "s.tif", "--width", 1).out
        == " \ns.tif: 8 × 16 pixels, 8 bits, grey; frame 0 of 2, counted from 0\n"
    )
    assert mia("show", tmp_path / "s.tif", "--width", 1, "--frame", 1).out.startswith("█\n")


@pytest.mark.parametrize("size", [(1, 1), (10_000, 1), (1, 10_000)])
@pytest.mark.parametrize("graphics", ["auto", "half", "kitty", "sixel", "iterm2"])
def test_odd_shapes_are_shown(mia: Mia, tmp_path: Path, size: tuple[int, int], graphics: str) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    answer = mia("show", tmp_path / "a.png", "--graphics", graphics)
    assert (answer.code, answer.err) == (0, "")


def _cut(path: Path) -> None:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "JPEG")
    path.write_bytes(file.getvalue()[:600])


def _huge(path: Path) -> None:
    path.write_bytes(huge_png(20_000, 20_000))


@pytest.mark.parametrize(
    ("make", "words", "code", "said"),
    [
        (_cut, [], 3, "a.png is cut short or damaged."),
        (Path.touch, [], 3, "a.png is empty (0 bytes)."),
        (
            lambda path: path.write_text("no"),
            [],
            3,
            "a.png is not an image, or of a kind that cannot be read.",
        ),
        (_huge, [], 3, "a.png has 20,000 × 20,000 pixels (400.0 megapixels), the limit is 120."),
        (lambda path: Image.new("L", (2, 2)).save(path), ["--frame", "3"], 3, "a.png has no frame 3"),
        (
            lambda path: Image.new("L", (2, 2)).save(path),
            ["--width", "0"],
            2,
            "Invalid value for '--width': 0 is",
        ),
        (lambda path: None, [], 3, "There is no file {path}. Check how it is spelt."),
        (Path.mkdir, [], 3, "{path} is a folder. `mia-tui {path}` opens it; `mia-tui show` takes one image."),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    mia: Mia, tmp_path: Path, make: object, words: list[str], code: int, said: str
) -> None:
    path = tmp_path / "a.png"
    make(path)  # type: ignore[operator]
    answer = mia("show", path, *words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(said.format(path=path))
    assert answer.err.count("\n") == 1


def test_a_name_cannot_steer_the_terminal(mia: Mia, red: Path) -> None:
    name = red.rename(red.with_name("a\x1b]0;x\x07.png"))
    assert "a\\x1b]0;x\\x07.png: 64 × 32" in mia("show", name).out


def test_an_image_reaches_a_pipe_of_another_process_as_utf_8(red: Path) -> None:
    code = "from mia_tui.__main__ import main\nsys.argv[1:1] = ['show']\nmain()"
    done = subprocess.run(
        python(code, red, "--width", "4"), capture_output=True, check=True, env={"PATH": "", "LC_ALL": "C"}
    )
    assert done.stdout.decode("utf-8").splitlines()[0] == "░░░░"


def test_on_a_terminal_the_users_settings_say_how_images_are_drawn_unless_the_command_does(
    mia: Mia, red: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text('graphics = "none"\n')
    assert "▀" not in (piped := mia("show", red).out) and len(piped.splitlines()) > 1, "a pipe is no terminal"
    asked = on_terminal(monkeypatch, make_terminal())
    mia("show", red)
    mia("show", red, "--graphics", "half")
    assert asked == ["none", "half"]
    user_config_file().write_text('colours = "256"\n')
    mia("show", red)
    assert asked[2:] == ["auto 256"]
    user_config_file().write_text("graphics = 3\n")
    answer = mia("show", red)
    assert answer.code == 2 and "graphics in" in answer.err


@pytest.mark.parametrize("name", ["", "  "])
def test_an_annotator_without_a_name_is_refused(mia: Mia, tmp_path: Path, name: str) -> None:
    for command in ([tmp_path], ["labels", "import", tmp_path]):
        answer = (
            mia("--annotator", name, *command) if len(command) == 1 else mia(*command, "--annotator", name)
        )
        assert (answer.code, answer.out) == (2, "")
        assert "--annotator is empty. Give a name, or leave the option out." in answer.err
