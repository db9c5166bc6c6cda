"""Pictures come out at the right place, in the right colours, and no larger than they may be."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from terminal_support import a_photo, a_terminal, psnr, read_line, read_sixel

from mia_tui.terminal import half, kitty
from mia_tui.terminal.layout import resized
from mia_tui.terminal.model import Panel, Picture
from mia_tui.terminal.pictures import draw_picture, forget_picture, hide_picture, useful_px

LARGE = Panel(120, 40, 10, 20)
SMALL = Panel(30, 10, 10, 20)
PROTOCOLS = ("kitty", "iterm2", "sixel", "half")
KIB = 1024


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return a_photo()


def blood(height: int = 160, width: int = 160) -> np.ndarray:
    """A purple cell on pink."""
    y, x = np.mgrid[:height, :width]
    pixels = np.full((height, width, 3), (230, 190, 200), np.uint8)
    pixels[np.hypot(y - height / 2, x - width / 2) < min(height, width) / 4] = (90, 40, 140)
    return pixels


def sent_image(picture: Picture) -> np.ndarray:
    """The pixels within a kitty or iTerm2 picture."""
    if picture.ahead:
        sequences = [re.fullmatch(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", chunk) for chunk in picture.ahead_chunks]
        assert all(sequences)
        data = "".join(found[2] for found in sequences if found)
    else:
        data = picture.graphics.rpartition(":")[2].rstrip("\x07")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


@pytest.mark.parametrize(
    ("graphics", "limit", "limit_ahead"),
    [
        ("half", 120 * KIB, 0),
        ("iterm2", 60 * KIB, 0),
        ("kitty", 20 * KIB, 130 * KIB),
        ("sixel", 600 * KIB, 0),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0])
def test_a_photo_takes_no_more_than_its_share_of_a_line(
    graphics: str, limit: int, limit_ahead: int, noise: float
) -> None:
    picture = draw_picture(a_photo(noise=noise), LARGE, a_terminal(graphics=graphics), image_id=1)
    assert picture.size_bytes <= limit
    assert len(picture.ahead) <= limit_ahead
    assert not picture.is_coarse


@pytest.mark.parametrize("graphics", PROTOCOLS)
@pytest.mark.parametrize("max_bytes", [200 * KIB, 60 * KIB, 25 * KIB, 12 * KIB])
@pytest.mark.parametrize("colours", ["true", "256", "16"])
def test_a_picture_fits_the_bytes_it_may_have(
    photo: np.ndarray, graphics: str, max_bytes: int, colours: str
) -> None:
    for pixels in (photo, blood()):
        picture = draw_picture(
            pixels, LARGE, a_terminal(graphics=graphics, colours=colours), max_bytes=max_bytes, image_id=1
        )
        assert picture.size_bytes + len(picture.ahead) <= max_bytes
        assert picture.columns > 0, "nothing is shown"
    assert picture.size_bytes == len(picture.graphics) + sum(len(line.encode()) for line in picture.lines)


@pytest.mark.parametrize("graphics", PROTOCOLS)
def test_more_bytes_show_more(photo: np.ndarray, graphics: str) -> None:
    coarse = draw_picture(photo, LARGE, a_terminal(graphics=graphics), max_bytes=20 * KIB, image_id=1)
    assert coarse.is_coarse
    assert not draw_picture(photo, LARGE, a_terminal(graphics=graphics), image_id=1).is_coarse


def test_half_blocks_of_25_kib_still_look_like_the_photo(photo: np.ndarray) -> None:
    picture = draw_picture(photo, LARGE, a_terminal(), max_bytes=25 * KIB)
    assert picture.cells is not None
    wanted = resized(photo, picture.columns, 2 * picture.rows)
    assert psnr(picture.cells.transpose(0, 2, 1, 3).reshape(wanted.shape), wanted) > 24


def test_without_room_for_blanks_there_is_only_the_panel(photo: np.ndarray) -> None:
    for graphics in PROTOCOLS:
        picture = draw_picture(photo, LARGE, a_terminal(graphics=graphics), max_bytes=100, image_id=1)
        assert (picture.columns, picture.graphics, picture.ahead) == (0, "", "")
        assert [read_line(line) for line in picture.lines] == [[(None, None)] * 120] * 40


@pytest.mark.parametrize("graphics", [*PROTOCOLS, "none"])
@pytest.mark.parametrize("multiplexer", ["", "tmux"])
@pytest.mark.parametrize("shape", [(1, 10_000), (10_000, 1), (1, 1), (3, 2), (700, 900)])
@pytest.mark.parametrize("cells", [(1, 1), (1, 30), (30, 1), (2, 2), (30, 10), (0, 5)])
def test_any_image_fits_any_panel(
    graphics: str, multiplexer: str, shape: tuple[int, int], cells: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    panel = Panel(*cells, 10, 20)
    terminal = a_terminal(graphics=graphics, multiplexer=multiplexer)
    for max_bytes in (None, 2000, 0):
        picture = draw_picture(pixels, panel, terminal, max_bytes=max_bytes, image_id=5)
        assert len(picture.lines) == panel.rows
        assert 0 <= picture.x <= picture.x + picture.columns <= panel.columns
        assert 0 <= picture.y <= picture.y + picture.rows <= panel.rows
        if graphics == "half":
            assert all(len(read_line(line)) == panel.columns for line in picture.lines)
        if picture.cells is not None:
            assert picture.cells.shape == (picture.rows, picture.columns, 2, 3)


@pytest.mark.parametrize("cell_px", [(10, 20), (8, 17), (12, 12)])
@pytest.mark.parametrize("graphics", PROTOCOLS)
def test_proportions_are_those_of_the_image(graphics: str, cell_px: tuple[int, int]) -> None:
    panel = Panel(100, 40, *cell_px)
    picture = draw_picture(blood(300, 600), panel, a_terminal(graphics=graphics), image_id=1)
    width, height = picture.columns * cell_px[0], picture.rows * cell_px[1]
    assert abs(width / height - 2) < 0.2
    assert picture.columns == panel.columns or picture.rows == panel.rows
    assert picture.x == (panel.columns - picture.columns) // 2
    assert picture.y == (panel.rows - picture.rows) // 2


@pytest.mark.parametrize("colours", ["true", "256", "16"])
def test_lines_of_half_blocks_paint_the_colours_in_cells(photo: np.ndarray, colours: str) -> None:
    picture = draw_picture(photo, SMALL, a_terminal(colours=colours))
    assert picture.cells is not None
    table = half._table()
    for y, line in enumerate(picture.lines):
        for x, colour in enumerate(read_line(line)):
            inside = 0 <= x - picture.x < picture.columns
            assert (colour != (None, None)) == inside
            if inside:
                upper, lower = (
                    value if isinstance(value, tuple) else tuple(table[value].tolist()) for value in colour
                )  # type: ignore[index]
                assert [upper, lower] == [
                    tuple(v) for v in picture.cells[y - picture.y, x - picture.x].tolist()
                ]


def test_half_blocks_show_what_is_above_above(photo: np.ndarray) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20] = (255, 0, 0)
    pixels[20:, 30:] = (0, 0, 255)
    picture = draw_picture(pixels, Panel(6, 2, 10, 20), a_terminal())
    assert read_line(picture.lines[0])[2] == ((255, 0, 0), (255, 0, 0))
    assert read_line(picture.lines[1])[0] == ((0, 0, 0), (0, 0, 0))
    assert read_line(picture.lines[1])[5] == ((0, 0, 255), (0, 0, 255))


def test_white_stays_white_and_black_black() -> None:
    for value in (0, 255):
        pixels = np.full((20, 20, 3), value, np.uint8)
        for colours in ("true", "256"):
            picture = draw_picture(pixels, SMALL, a_terminal(colours=colours))
            assert picture.cells is not None
            assert (picture.cells == value).all()


@pytest.mark.parametrize("colours", ["true", "256", "16"])
def test_without_unicode_there_are_only_spaces(photo: np.ndarray, colours: str) -> None:
    for max_bytes in (None, 3000):
        picture = draw_picture(photo, SMALL, a_terminal(unicode=False, colours=colours), max_bytes=max_bytes)
        assert all(line.isascii() for line in picture.lines)
        assert all(len(read_line(line)) == SMALL.columns for line in picture.lines)
        assert picture.cells is not None
        assert np.array_equal(picture.cells[:, :, 0], picture.cells[:, :, 1])


def test_the_nearest_of_256_colours_is_found() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    numbers, shown = half.terminal_colours(pixels, "256")
    table = half._table()[16:].astype(int)
    distance = ((table - pixels[:, :, None].astype(int)) ** 2).sum(axis=3).min(axis=2)
    found = ((shown.astype(int) - pixels) ** 2).sum(axis=2)
    assert (found <= distance * 1.2 + 40).all()
    assert numbers.min() >= 16  # the first 16 are whatever the user made of them


def test_a_sixel_stream_paints_every_pixel_in_its_colour(photo: np.ndarray) -> None:
    picture = draw_picture(photo, SMALL, a_terminal(graphics="sixel"))
    shown = read_sixel(picture.graphics)
    assert shown.shape == (200, 267, 3)
    assert psnr(shown, resized(photo, 267, 200)) > 31
    assert picture.columns == 27
    assert picture.rows == 10


def test_a_sixel_picture_of_few_colours_is_exact_to_a_percent() -> None:
    picture = draw_picture(blood(200, 300), SMALL, a_terminal(graphics="sixel"))
    assert np.abs(read_sixel(picture.graphics).astype(int) - blood(200, 300)).max() <= 2


def test_grey_sixel_pictures_stay_grey() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    shown = read_sixel(draw_picture(ramp, SMALL, a_terminal(graphics="sixel")).graphics)
    assert np.array_equal(shown[..., 0], shown[..., 1])
    assert np.array_equal(shown[..., 0], shown[..., 2])
    assert (np.diff(shown[0, :, 0].astype(int)) >= 0).all()


def test_a_small_stain_keeps_its_colour_in_a_palette() -> None:
    pixels = np.repeat(a_photo(600, 400)[..., :1], 3, axis=2)
    pixels[200:206, 301:307] = (220, 20, 30)
    picture = draw_picture(pixels, LARGE, a_terminal(graphics="sixel"))
    shown = read_sixel(picture.graphics)
    stain = shown[round(203 / 400 * shown.shape[0]), round(304 / 600 * shown.shape[1])].astype(int)
    assert stain[0] - stain[1:].max() > 120


def test_sixel_heeds_the_limits_of_the_terminal(photo: np.ndarray) -> None:
    terminal = a_terminal(graphics="sixel", sixel_max_px=(1000, 500), sixel_colours=16)
    picture = draw_picture(photo, LARGE, terminal)
    assert read_sixel(picture.graphics).shape == (500, 667, 3)
    assert max(map(int, re.findall(r"#(\d+)", picture.graphics))) <= 15


def test_sixel_of_noise_stays_below_the_limit_of_tmux() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1500, 3), dtype=np.uint8)
    picture = draw_picture(noise, Panel(200, 60, 10, 20), a_terminal(graphics="sixel"))
    assert picture.size_bytes <= 950_000


def test_kitty_sends_pixels_ahead_in_pieces_that_no_one_answers(photo: np.ndarray) -> None:
    picture = draw_picture(photo, LARGE, a_terminal(graphics="kitty"), image_id=70_000)
    assert "".join(picture.ahead_chunks) == picture.ahead
    assert len(picture.ahead_chunks) > 10
    assert all(len(chunk) < 4096 + 64 for chunk in picture.ahead_chunks)
    assert all("q=2" in chunk for chunk in picture.ahead_chunks)
    assert "a=t,t=d,f=100,i=70000," in picture.ahead_chunks[0]
    assert picture.ahead_chunks[-1].startswith("\x1b_Gq=2,m=0;")
    assert picture.image_id == 70_000
    assert picture.graphics == "\x1b_Ga=p,i=70000,p=1,C=1,z=-1073741825,c=107,r=40,q=1\x1b\\", (
        "that it is not there is answered"
    )
    assert psnr(sent_image(picture), photo) > 28


@pytest.mark.parametrize(
    ("brand", "below"),
    [("kitty(0.26.5)", False), ("kitty(0.28.0)", True), ("kitty(1.0.0)", True), ("ghostty 1.1", True)],
)
def test_kitty_before_0_28_draws_above_text(photo: np.ndarray, brand: str, below: bool) -> None:
    """It paints all ground colours of its window wrong where a picture lies below them."""
    picture = draw_picture(photo, SMALL, a_terminal(graphics="kitty", brand=brand), image_id=1)
    assert ("z=" in picture.graphics) == below


def test_kitty_and_iterm2_do_not_enlarge(photo: np.ndarray) -> None:
    for graphics in ("kitty", "iterm2"):
        terminal = a_terminal(graphics=graphics)
        assert sent_image(draw_picture(photo, LARGE, terminal, image_id=1)).shape == photo.shape
        assert sent_image(draw_picture(photo, SMALL, terminal, image_id=1)).shape == (200, 267, 3)


def test_grey_images_lose_nothing_by_kitty() -> None:
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (90, 120, 1), dtype=np.uint8), 3, axis=2)
    assert np.array_equal(
        sent_image(draw_picture(grey, LARGE, a_terminal(graphics="kitty"), image_id=1)), grey
    )


def test_kitty_pictures_are_hidden_and_forgotten_by_number() -> None:
    terminal = a_terminal(graphics="kitty")
    assert hide_picture(9, terminal) == "\x1b_Ga=d,d=i,i=9,q=2\x1b\\"
    assert forget_picture(9, terminal) == "\x1b_Ga=d,d=I,i=9,q=2\x1b\\"
    for graphics in ("iterm2", "sixel", "half", "none"):
        assert hide_picture(9, a_terminal(graphics=graphics)) == ""
        assert forget_picture(9, a_terminal(graphics=graphics)) == ""


def test_in_tmux_kitty_pictures_are_placeholders(photo: np.ndarray) -> None:
    terminal = a_terminal(graphics="kitty", multiplexer="tmux")
    picture = draw_picture(photo, LARGE, terminal, image_id=256 + 65)
    chunks = picture.ahead_chunks
    assert "".join(chunks) == picture.ahead
    assert all(
        chunk.startswith("\x1bPtmux;\x1b\x1b_G") and chunk.endswith("\x1b\x1b\\\x1b\\") for chunk in chunks
    )
    assert picture.graphics == "\x1bPtmux;\x1b\x1b_Ga=p,i=66,U=1,c=107,r=40,q=2\x1b\x1b\\\x1b\\"
    assert forget_picture(256 + 65, terminal) == "\x1bPtmux;\x1b\x1b_Ga=d,d=I,i=66,q=2\x1b\x1b\\\x1b\\"
    assert hide_picture(1, terminal) == ""
    for row, line in enumerate(picture.lines):
        assert line.count("\U0010eeee") == 107
        assert f"\x1b[38;5;66m\U0010eeee{kitty._marks()[row]}\u0305\U0010eeee" in line
    assert picture.size_bytes <= 20 * KIB


def test_the_marks_of_placeholders_are_kittys() -> None:
    marks = kitty._marks()
    assert len(marks) == len(set(marks)) == kitty.MAX_ROWS
    assert marks[:4] == ("\u0305", "\u030d", "\u030e", "\u0310")
    assert marks[-1] == "\U0001d244"


@pytest.mark.parametrize("graphics", ["kitty", "iterm2"])
def test_cells_below_a_picture_are_wiped_without_writing_blanks(photo: np.ndarray, graphics: str) -> None:
    picture = draw_picture(photo, LARGE, a_terminal(graphics=graphics), image_id=1)
    for line in picture.lines:
        assert line == f"\x1b[0m\x1b[{LARGE.columns}X\x1b[{LARGE.columns}C"
    assert sum(map(len, picture.lines)) < 1024


def test_iterm2_gets_a_file_without_a_name(photo: np.ndarray) -> None:
    picture = draw_picture(photo, LARGE, a_terminal(graphics="iterm2"))
    head = picture.graphics.partition(":")[0]
    assert head.startswith("\x1b]1337;File=inline=1;size=")
    assert "width=107;height=40;preserveAspectRatio=0;doNotMoveCursor=1" in head
    assert "name" not in head
    assert psnr(sent_image(picture), photo) > 28


def test_half_blocks_need_no_more_pixels_than_two_for_each_half_cell() -> None:
    assert useful_px(LARGE, a_terminal()) == (240, 160)
    assert useful_px(LARGE, a_terminal(graphics="kitty")) == (1200, 800)
    assert useful_px(Panel(0, 0, 10, 20), a_terminal()) == (1, 1)


@pytest.mark.parametrize("seed", [473, 1219, 1234, 1524, 1544])
def test_without_a_limit_something_is_always_shown(seed: int) -> None:
    """Tiles of some noisy images were left blank: each guess at their size was a little too large."""
    random = np.random.default_rng(seed)
    columns, strength, rows = int(random.integers(10, 26)), random.uniform(1, 90), int(random.integers(4, 12))
    y, x = np.mgrid[: 4 * rows, : 2 * columns]
    inner, outer = random.uniform(0, 255, (2, 3))
    is_inside = np.hypot(x - columns, y - 2 * rows) < random.uniform(3, 14)
    pixels = np.where(is_inside[..., None], inner, outer) + random.standard_normal((*x.shape, 3)) * strength
    panel = Panel(columns, rows, 9, 19)
    picture = draw_picture(
        pixels.clip(0, 255).astype(np.uint8), panel, a_terminal(cell_width_px=9, cell_height_px=19)
    )
    assert picture.columns > 0


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize(
    ("panel", "limit"), [(Panel(58, 20, 10, 20), 120_000), (Panel(120, 40, 10, 20), None)]
)
def test_a_sixel_picture_has_about_as_many_colours_as_fit(
    photo: np.ndarray, grey: bool, panel: Panel, limit: int | None
) -> None:
    """They are guessed from a part of the picture; half as many again must be too many."""
    pixels = np.repeat(photo[..., :1], 3, axis=2) if grey else photo
    drawn = draw_picture(pixels, panel, a_terminal(graphics="sixel"), max_bytes=limit)
    largest = limit or 0.6 * 1200 * 800
    assert drawn.size_bytes > 0.7 * min(
        largest, len(draw_picture(pixels, panel, a_terminal(graphics="sixel")).graphics)
    )
