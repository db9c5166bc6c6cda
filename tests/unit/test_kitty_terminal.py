"""The terminal that the tests play: what it reads comes in pieces that begin and end anywhere."""

import io
from base64 import b64encode

from kitty_terminal import KittyTerminal
from PIL import Image

RED = 200, 10, 10


def noise(width: int) -> bytes:
    """A PNG that does not compress."""
    file = io.BytesIO()
    picture = Image.effect_noise((width, width), 80).convert("RGB")
    picture.putpixel((0, 0), RED)
    picture.save(file, "PNG")
    return file.getvalue()


def transfer(png: bytes, *, piece: int = 400) -> bytes:
    """A picture in several commands, as programs send it."""
    data = b64encode(png).decode()
    pieces = [data[start : start + piece] for start in range(0, len(data), piece)]
    assert len(pieces) > 2
    heads = ["a=T,f=100,i=7,m=1", *["m=1"] * (len(pieces) - 2), "m=0"]
    return "".join(f"\x1b_G{head};{part}\x1b\\" for head, part in zip(heads, pieces, strict=True)).encode()


def test_a_picture_is_whole_wherever_its_bytes_are_parted() -> None:
    data = transfer(noise(20))
    for place in range(1, len(data)):
        terminal = KittyTerminal()
        terminal.take(b"text" + data[:place])
        terminal.take(data[place:] + b"text")
        assert 7 in terminal.images and terminal.images[7].colour == RED, place


def test_a_picture_is_whole_when_its_bytes_come_one_by_one() -> None:
    terminal = KittyTerminal()
    for byte in transfer(noise(20)):
        terminal.take(bytes([byte]))
    assert terminal.images[7].colour == RED


def test_a_broken_picture_is_none_and_the_next_one_is_shown() -> None:
    png = noise(200)
    second = png.rindex(b"IDAT")
    assert second > png.index(b"IDAT")
    terminal = KittyTerminal()
    for broken in (png[:100], png[:second] + b"\0\0\0\0" + png[second + 4 :]):
        terminal.take(transfer(broken, piece=20))
        assert not terminal.images
    terminal.take(transfer(png))
    assert terminal.images[7].colour == RED
