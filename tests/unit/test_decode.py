"""Every kind of image file comes out as the 8-bit pixels a person would see, or as one sentence."""

import errno
import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from image_support import deep_png, huge_png, raw_tiff
from PIL import Image
from run_support import run_python

from mia_tui.dataset.images.decode import decode, decode_fitted
from mia_tui.dataset.images.network.geometry import fit
from mia_tui.dataset.images.reading import count_frames
from mia_tui.errors import DecodeError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's about odd tags; decode drops them

RED, BLUE = (255, 0, 0), (0, 0, 255)


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def two_tone(width: int = 40, height: int = 20) -> np.ndarray:
    """Left half red, right half blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = RED
    pixels[:, width // 2 :] = BLUE
    return pixels


def smooth(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A picture with shades and no sharp edges, as JPEG likes it."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff"])
def test_a_red_image_is_red_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"cell.{suffix}", np.full((16, 24, 3), RED, np.uint8))
    pixels = decode(path)
    assert pixels.shape == (16, 24, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.writeable
    assert np.abs(pixels.astype(int) - RED).max() <= 3


@pytest.mark.parametrize("mode", ["P", "RGBA", "PA", "RGB"])
def test_palette_and_alpha_show_their_colours(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "cell.tif", two_tone(), mode) if mode == "PA" else None
    path = path or save(tmp_path / "cell.png", two_tone(), mode)
    assert np.array_equal(decode(path), two_tone())


def test_a_palette_of_16_colours_shows_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(two_tone()).quantize(4)
    image.save(tmp_path / "cell.png", bits=4)
    assert np.array_equal(decode(tmp_path / "cell.png"), two_tone())


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    pixels = np.dstack([two_tone(), np.full((20, 40), 255, np.uint8)])
    pixels[:, :10, 3] = 0
    pixels[:, 10:20, 3] = 128
    shown = decode(save(tmp_path / "cell.png", pixels))
    assert (shown[:, :10] == 255).all()
    assert np.abs(shown[:, 10:20].astype(int) - (255, 127, 127)).max() <= 1
    assert np.array_equal(shown[:, 20:], two_tone()[:, 20:])


def test_a_transparent_palette_entry_lies_on_white(tmp_path: Path) -> None:
    image = Image.fromarray(two_tone()).quantize(2)
    index = image.getpixel((0, 0))
    image.save(tmp_path / "cell.gif", transparency=index)
    shown = decode(tmp_path / "cell.gif")
    assert (shown[:, :20] == 255).all()
    assert np.array_equal(shown[:, 20:], two_tone()[:, 20:])


def test_grey_with_alpha_and_one_bit_are_right(tmp_path: Path) -> None:
    grey = np.zeros((8, 8, 2), np.uint8)
    grey[..., 0], grey[:4, :, 1] = 100, 255
    Image.fromarray(grey, "LA").save(tmp_path / "la.png")
    assert np.unique(decode(tmp_path / "la.png")[:4]) == 100
    assert np.unique(decode(tmp_path / "la.png")[4:]) == 255
    bits = Image.fromarray(np.eye(16, dtype=np.uint8) * 255).convert("1")
    for name in ("bits.png", "bits.tif", "bits.bmp"):
        bits.save(tmp_path / name)
        assert np.array_equal(decode(tmp_path / name, color=False)[:, :, 0], np.eye(16, dtype=np.uint8) * 255)


@pytest.mark.parametrize("name", ["cell.jpg", "cell.tif"])
def test_cmyk_keeps_its_black(tmp_path: Path, name: str) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red
    image.paste((0, 0, 0, 255), (8, 0, 16, 16))  # black, by K alone
    image.save(tmp_path / name, quality=100)
    shown = decode(tmp_path / name).astype(int)
    assert np.abs(shown[:, 1:7] - RED).max() <= 6
    assert shown[:, 9:15].max() <= 6


def test_mono_is_one_channel_by_luma(tmp_path: Path) -> None:
    path = save(tmp_path / "cell.png", two_tone())
    mono = decode(path, color=False)
    assert mono.shape == (20, 40, 1)
    assert abs(int(mono[0, 0, 0]) - 0.299 * 255) < 1
    assert abs(int(mono[0, 30, 0]) - 0.114 * 255) < 1
    grey = save(tmp_path / "grey.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert np.array_equal(decode(grey), np.repeat(decode(grey, color=False), 3, axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_every_exif_orientation_comes_out_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = smooth(48, 32)
    lying = {  # how a camera that was held so would store the picture
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"exif": exif} if suffix != "tif" else {"tiffinfo": {274: orientation}}
    if suffix == "webp":
        options["lossless"] = True
    path = save(tmp_path / f"cell.{suffix}", np.ascontiguousarray(lying), quality=95, **options)
    assert np.abs(decode(path).astype(int) - upright).mean() < 8  # JPEG; lying wrong it is 60


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_large_lying_jpeg_is_fitted_upright(tmp_path: Path, orientation: int) -> None:
    upright = smooth(1600, 640)
    turns = {5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 8: np.rot90(upright, -1)}
    lying = turns.get(orientation, upright[::-1, ::-1].transpose(1, 0, 2))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "cell.jpg", np.ascontiguousarray(lying), exif=exif, quality=95)
    for geometry in ("squash", "letterbox", "crop"):
        found = decode_fitted(path, width=100, height=60, geometry=geometry)
        wanted = fit(upright, 100, 60, geometry=geometry, resize="cubic")
        assert np.abs(found.astype(int) - wanted).mean() < 3


def test_a_broken_exif_block_does_not_lose_the_image(tmp_path: Path) -> None:
    path = save(tmp_path / "cell.jpg", smooth(32, 32), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert decode(path).shape == (32, 32, 3)


def grey16(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values.astype(np.uint16)).save(path)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_keeps_the_order_of_its_values(tmp_path: Path, suffix: str) -> None:
    """The predecessor wrapped the brightest pixels to black."""
    ramp = np.linspace(0, 65535, 4096).reshape(64, 64)
    shown = decode(grey16(tmp_path / f"ramp.{suffix}", ramp), color=False).reshape(-1).astype(int)
    assert (np.diff(shown) >= 0).all()
    assert shown[0] == 0
    assert shown[-1] == 255
    assert len(np.unique(shown)) == 256


@pytest.mark.parametrize("size_px", [10, 96, 300])
def test_one_hot_pixel_does_not_darken_the_rest(tmp_path: Path, size_px: int) -> None:
    values = np.random.default_rng(0).integers(200, 1200, (size_px, size_px))
    values[3, 3] = 65535
    shown = decode(grey16(tmp_path / "hot.png", values), color=False)[..., 0]
    assert shown[3, 3] == 255
    assert len(np.unique(shown)) > min(size_px * size_px, 256) * 0.6
    assert 100 < np.median(shown) < 156


def test_a_few_bright_spots_on_black_are_seen(tmp_path: Path) -> None:
    values = np.zeros((100, 100))
    values[50, 50:53] = (20000, 40000, 60000)
    shown = decode(grey16(tmp_path / "spots.png", values), color=False)[..., 0]
    assert shown[50, 52] == 255
    assert 0 < shown[50, 50] < shown[50, 51] < 255


@pytest.mark.parametrize(("value", "shown"), [(0, 0), (65535, 255), (32768, 128)])
def test_an_image_of_one_value_keeps_its_brightness(tmp_path: Path, value: int, shown: int) -> None:
    path = grey16(tmp_path / "flat.png", np.full((16, 16), value))
    assert np.unique(decode(path)) == [shown]


def test_float_images_may_hold_anything(tmp_path: Path) -> None:
    values = np.linspace(-3, 7, 4096, dtype=np.float32).reshape(64, 64)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    Image.fromarray(values).save(tmp_path / "cell.tif")
    shown = decode(tmp_path / "cell.tif", color=False)[..., 0]
    assert list(shown[0, :3]) == [0, 255, 0]
    assert (np.diff(shown.reshape(-1)[3:].astype(int)) >= 0).all()
    assert shown[-1, -1] == 255
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(tmp_path / "nan.tif")
    assert np.unique(decode(tmp_path / "nan.tif")) == [0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_of_either_byte_order_is_right(tmp_path: Path, order: str) -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    (tmp_path / "ramp.tif").write_bytes(raw_tiff([ramp], photometric=1, bits=(16,), order=order))
    shown = decode(tmp_path / "ramp.tif", color=False).reshape(-1).astype(int)
    assert (np.diff(shown) >= 0).all()


def test_the_upper_half_of_32_bit_stays_bright(tmp_path: Path) -> None:
    """Pillow reads these as signed numbers, so they would come out darker than black."""
    ramp = np.linspace(0, 2**32 - 1, 4096).astype(np.uint32).reshape(64, 64)
    (tmp_path / "ramp.tif").write_bytes(raw_tiff([ramp], photometric=1, bits=(32,)))
    shown = decode(tmp_path / "ramp.tif", color=False).reshape(-1).astype(int)
    assert (np.diff(shown) >= 0).all()
    signed = np.linspace(-1000, 1000, 4096).astype(np.int32).reshape(64, 64)
    (tmp_path / "signed.tif").write_bytes(raw_tiff([signed], photometric=1, bits=(32,), sample_format=2))
    shown = decode(tmp_path / "signed.tif", color=False).reshape(-1).astype(int)
    assert (np.diff(shown) >= 0).all()


def test_16_bit_where_white_is_zero_is_turned_over(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    (tmp_path / "ramp.tif").write_bytes(raw_tiff([ramp], photometric=0, bits=(16,)))
    shown = decode(tmp_path / "ramp.tif", color=False).reshape(-1).astype(int)
    assert shown[0] == 255
    assert (np.diff(shown) <= 0).all()


def dim_colour() -> np.ndarray:
    """12 bits in 16: the upper byte alone holds 16 levels."""
    values = np.zeros((64, 64, 3), np.uint16)
    values[..., 0] = np.linspace(0, 4095, 4096).reshape(64, 64)
    values[..., 2] = values[::-1, ::-1, 0]
    return values


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("separate", [False, True])
def test_16_bit_colour_keeps_its_levels_in_tiff(tmp_path: Path, order: str, separate: bool) -> None:
    values = dim_colour()
    planes = [values[..., i] for i in range(3)] if separate else [values]
    data = raw_tiff(planes, photometric=2, bits=(16, 16, 16), separate=separate, order=order)
    (tmp_path / "cell.tif").write_bytes(data)
    shown = decode(tmp_path / "cell.tif")
    assert len(np.unique(shown[..., 0])) > 200
    assert (shown[..., 1] == 0).all()
    assert (np.diff(shown[..., 0].reshape(-1).astype(int)) >= 0).all()


def test_16_bit_colour_keeps_its_levels_in_png(tmp_path: Path) -> None:
    (tmp_path / "cell.png").write_bytes(deep_png(dim_colour()))
    shown = decode(tmp_path / "cell.png")
    assert len(np.unique(shown[..., 0])) > 200
    assert (np.diff(shown[..., 0].reshape(-1).astype(int)) >= 0).all()
    alpha = np.full((64, 64, 1), 65535, np.uint16)
    alpha[:8] = 0
    (tmp_path / "alpha.png").write_bytes(deep_png(np.dstack([dim_colour(), alpha])))
    with_alpha = decode(tmp_path / "alpha.png")
    assert (with_alpha[:8] == 255).all()
    assert np.array_equal(with_alpha[8:], shown[8:])


def test_pages_of_a_tiff_are_frames(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((8, 8), 10 * i, np.uint8)) for i in range(12)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    assert count_frames(tmp_path / "stack.tif") == 12
    assert [int(decode(tmp_path / "stack.tif", i)[0, 0, 0]) for i in (0, 11, 5)] == [0, 110, 50]
    with pytest.raises(DecodeError, match=r"stack\.tif has no frame 12"):
        decode(tmp_path / "stack.tif", 12)


def test_deep_pages_are_frames_too(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4000, 4096).reshape(64, 64).astype(np.uint16)
    pages = [Image.fromarray(ramp), Image.fromarray(ramp[::-1].copy())]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(decode(tmp_path / "stack.tif", 1), decode(tmp_path / "stack.tif", 0)[::-1])


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_an_animation_is_its_first_frame_unless_asked_for(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.full((16, 16, 3), (80 * i, 0, 0), np.uint8)) for i in range(3)]
    path = tmp_path / f"film.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert count_frames(path) == 1
    assert count_frames(path, animated="all") == 3
    assert abs(int(decode(path, 2)[8, 8, 0]) - 160) <= 2
    assert count_frames(save(tmp_path / "still.png", two_tone()), animated="all") == 1


def test_a_wrong_suffix_does_not_matter(tmp_path: Path) -> None:
    save(tmp_path / "cell.tif", two_tone())
    (tmp_path / "cell.tif").rename(tmp_path / "cell.jpg")
    assert np.array_equal(decode(tmp_path / "cell.jpg"), two_tone())
    assert count_frames(tmp_path / "cell.jpg") == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "empty"), (b"GIF89a or what?", "damaged|not an image"), (b"x" * 99, "not an image")],
)
def test_what_is_no_image_is_said(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "notes\x1b.png"
    path.write_bytes(data)
    for call in (decode, count_frames):
        with pytest.raises(DecodeError, match=says) as caught:
            call(path)
        assert "\x1b" not in str(caught.value)
        assert "notes\\x1b.png" in str(caught.value)


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match=r"gone\.png is not there any more"):
        decode(tmp_path / "gone.png")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
def test_a_file_on_a_drive_that_does_not_answer_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "x.png").touch()
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(DecodeError, match=f"x.png cannot be read: {os.strerror(number)}"):
        decode(tmp_path / "x.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif"])
def test_a_file_cut_short_is_said(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"cell.{suffix}", noise)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DecodeError, match=rf"cell\.{suffix} is (cut short or damaged|not an image)"):
        decode(path)


def test_too_many_pixels_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png(19_000, 19_000))
    with pytest.raises(DecodeError) as caught:
        decode_fitted(path, width=96, height=96)
    assert "19,000 × 19,000 pixels (361.0 megapixels), the limit is 120." in caught.value.message
    assert "--max-megapixels" in str(caught.value.hint)
    small = save(tmp_path / "small.png", two_tone())
    assert decode(small, max_megapixels=0.0008).shape == (20, 40, 3)
    with pytest.raises(DecodeError):
        decode(small, max_megapixels=0.0007)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tif", "bmp"])
def test_damaged_bytes_give_pixels_or_a_sentence_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(7)
    path = save(tmp_path / f"cell.{suffix}", smooth(24, 16))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(150):
        data = whole.copy()
        places = random.integers(0, min(len(data), 400), random.integers(1, 8))
        data[places] = random.integers(0, 256, len(places))
        path.write_bytes(
            data[: random.integers(1, len(data) + 1)].tobytes() if random.random() < 0.3 else data.tobytes()
        )
        for call in (lambda: decode(path, max_megapixels=4).ndim == 3, lambda: count_frames(path) >= 1):
            try:
                assert call()
            except DecodeError as error:
                assert error.message.startswith("cell.")


@pytest.mark.parametrize("resize", ["nearest", "linear", "cubic", "lanczos"])
def test_fine_patterns_become_grey_and_not_moire(resize: str) -> None:
    """The predecessor resized without anti-aliasing."""
    lines = np.zeros((240, 240, 1), np.uint8)
    lines[::2] = 255
    small = fit(lines, 30, 30, geometry="squash", resize=resize)  # type: ignore[arg-type]
    assert small.shape == (30, 30, 1)
    assert np.abs(small[2:-2].astype(int) - 127).max() <= 4


def test_nearest_makes_blocks_when_an_image_grows() -> None:
    small = np.arange(12, dtype=np.uint8).reshape(3, 4, 1) * 20
    large = fit(small, 16, 12, geometry="squash", resize="nearest")
    assert np.array_equal(large, small.repeat(4, 0).repeat(4, 1))


def test_squash_letterbox_and_crop_do_what_they_say() -> None:
    wide = np.full((20, 60, 3), 100, np.uint8)
    wide[:, :20] = RED
    wide[:, 40:] = BLUE
    squashed = fit(wide, 30, 30, geometry="squash", resize="nearest")
    assert np.array_equal(squashed[:, 0], np.full((30, 3), RED))
    assert np.array_equal(squashed[:, -1], np.full((30, 3), BLUE))
    boxed = fit(wide, 30, 30, geometry="letterbox", resize="nearest")
    assert (boxed[:10] == 0).all()
    assert (boxed[20:] == 0).all()
    assert np.array_equal(boxed[10:20, 0], np.full((10, 3), RED))
    cropped = fit(wide, 30, 30, geometry="crop", resize="nearest")
    assert (cropped == 100).all()
    tall = fit(wide.transpose(1, 0, 2), 30, 30, geometry="letterbox", resize="nearest")
    assert np.array_equal(tall, boxed.transpose(1, 0, 2))


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("shape", [(1, 10_000), (10_000, 1), (1, 1)])
def test_strips_of_one_pixel_fit(geometry: str, shape: tuple[int, int]) -> None:
    strip = np.full((*shape, 3), 9, np.uint8)
    fitted = fit(strip, 32, 24, geometry=geometry, resize="cubic")  # type: ignore[arg-type]
    assert fitted.shape == (24, 32, 3)
    assert 9 in fitted


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("color", [True, False])
def test_decoding_at_a_fraction_gives_what_full_decoding_gives(
    tmp_path: Path, geometry: str, color: bool
) -> None:
    path = save(tmp_path / "large.jpg", smooth(1930, 1207), quality=92)
    options = {"geometry": geometry, "resize": "cubic"}
    quick = decode_fitted(path, width=96, height=80, color=color, **options)
    whole = fit(decode(path, color=color), 96, 80, **options)
    assert quick.shape == whole.shape == (80, 96, 3 if color else 1)
    assert np.abs(quick.astype(int) - whole).max() <= 6
    assert np.abs(quick.astype(int) - whole).mean() < 1


def test_other_files_come_out_the_same_either_way(tmp_path: Path) -> None:
    path = save(tmp_path / "cell.png", smooth(300, 200))
    options = {"geometry": "crop", "resize": "lanczos"}
    assert np.array_equal(
        decode_fitted(path, width=64, height=64, **options), fit(decode(path), 64, 64, **options)
    )


def test_fine_patterns_in_a_large_jpeg_become_grey(tmp_path: Path) -> None:
    lines = np.zeros((1600, 1600), np.uint8)
    lines[:, ::2] = 255
    path = save(tmp_path / "lines.jpg", lines, quality=95)
    small = decode_fitted(path, width=75, height=75, color=False)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 8


def test_many_threads_may_decode_at_once(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{i}.jpg", smooth(400, 300, seed=i)) for i in range(4)]
    alone = [decode_fitted(path, width=50, height=50) for path in paths]
    wrong: list[int] = []

    def work() -> None:
        for _ in range(10):
            for i, path in enumerate(paths):
                if not np.array_equal(decode_fitted(path, width=50, height=50), alone[i]):
                    wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_pillows_own_limit_and_warnings_stay_out_of_the_way(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    buffer = io.BytesIO()
    image = Image.fromarray(two_tone()).quantize(4)
    image.save(buffer, "PNG", transparency=bytes([255, 128, 0, 9]))
    (tmp_path / "cell.png").write_bytes(buffer.getvalue())
    decode(tmp_path / "cell.png")
    (tmp_path / "wide.png").write_bytes(huge_png(100_000, 1_000))
    with pytest.raises(DecodeError, match="cut short"):
        decode(tmp_path / "wide.png")
    assert not [warning for warning in recwarn if "Decompression" in str(warning.message)]


def test_opening_an_image_imports_only_the_readers_of_formats_that_are_read(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    run_python(
        """
        from pathlib import Path
        from mia_tui.dataset.images.reading import opened
        with opened(Path(sys.argv[1]), 0, 10.0):
            pass
        assert "PIL.FpxImagePlugin" not in sys.modules
        """,
        tmp_path / "a.jpg",
    )
