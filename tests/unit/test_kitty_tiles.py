"""The pictures of tiles that a kitty terminal holds: sent once, and few enough."""

import numpy as np
import pytest
from kitty_terminal import KittyTerminal
from terminal_support import a_terminal

from mia_tui.terminal.kitty import TILES, number, placeholders
from mia_tui.terminal.model import Panel, Picture
from mia_tui.terminal.pictures import draw_picture
from mia_tui.tui.mosaic import kitty_tiles
from mia_tui.tui.mosaic.kitty_tiles import TILE_IDS, KittyTiles

PANEL = Panel(8, 3, 10, 20)
KITTY = a_terminal(graphics="kitty")


def a_tile() -> Picture:
    image_id = next(TILE_IDS)
    pixels = np.full((60, 80, 3), image_id % 256, np.uint8)
    return draw_picture(pixels, PANEL, KITTY, image_id=image_id)


def show(tiles: KittyTiles, screen: KittyTerminal, *pictures: Picture) -> None:
    for picture in pictures:
        screen.take((tiles.sending(picture) + picture.graphics).encode())
        tiles.placed(picture)
    screen.take(tiles.hiding_others(pictures).encode())


def test_a_picture_is_sent_once_and_hidden_ones_are_kept() -> None:
    tiles, screen = KittyTiles(KITTY), KittyTerminal()
    first, second = a_tile(), a_tile()
    show(tiles, screen, first, second)
    show(tiles, screen, second)
    assert [image.placed for image in screen.images.values()] == [False, True]
    assert tiles.sending(first) == "" and tiles.holds(first)
    assert tiles.deleting_all() and not tiles.holds(first)


def test_with_too_many_only_those_on_the_screen_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kitty_tiles, "MOST", 6)
    tiles, other = KittyTiles(KITTY), KittyTiles(KITTY)
    screen = KittyTerminal(frees_unplaced=True)
    elsewhere = a_tile()
    show(other, screen, elsewhere)
    screen.take(other.hiding_others().encode())
    pictures = [a_tile() for _ in range(8)]
    for at in range(0, 8, 2):
        show(tiles, screen, *pictures[at : at + 2])
    assert len(screen.images) <= 6
    assert all(screen.images[number(picture.image_id, KITTY)].placed for picture in pictures[-2:])
    held = [picture for picture in pictures if tiles.holds(picture)]
    assert all(number(picture.image_id, KITTY) in screen.images for picture in held)
    assert not other.holds(elsewhere), "the oldest kitty frees what is not on the screen, whoever sent it"


def test_a_picture_that_the_terminal_refuses_is_sent_again() -> None:
    tiles, picture = KittyTiles(KITTY), a_tile()
    tiles.sending(picture)
    assert tiles.refused(number(picture.image_id, KITTY)) and tiles.sending(picture)
    assert not tiles.refused(7), "one of the labelling screen"


def test_in_tmux_dozens_of_tiles_have_numbers_of_their_own() -> None:
    terminal = a_terminal(graphics="kitty", multiplexer="tmux")
    tiles = [number(TILES + n, terminal) for n in range(2000)]
    others = {number(n, terminal) for n in range(1, 2000)}
    assert len(set(tiles)) == 2000 and not others.intersection(tiles)
    assert all(1 <= each & 0xFFFFFF <= 255 for each in tiles), "colours that every terminal shows unchanged"
    row = placeholders(TILES, 4, 2, terminal)
    # https://sw.kovidgoyal.net/kitty/graphics-protocol/: a third mark is the highest byte of the number
    assert row.startswith("\x1b[38;5;1m\U0010eeee\u030e\u0305\u030d")
    assert placeholders(1, 4, 2, terminal).startswith("\x1b[38;5;1m\U0010eeee\u030e\u0305\U0010eeee")
