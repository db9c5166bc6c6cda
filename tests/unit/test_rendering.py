"""What is seen is the file's own pixels: the right part, the right size, through the tones asked for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from image_support import deep_png, huge_png
from PIL import Image
from terminal_support import a_photo, psnr

from mia_tui.dataset.images.channels import ChannelChoice
from mia_tui.dataset.images.decode import decode
from mia_tui.dataset.images.network.geometry import fit
from mia_tui.dataset.images.rendering import (
    DisplaySettings,
    LoadedImage,
    RenderedImage,
    load_image,
    render_image,
)
from mia_tui.dataset.images.screen.part import MAX_SCALE
from mia_tui.errors import DecodeError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's about odd tags; decode drops them

BOX = (1200, 800)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(
        path, **{"compress_level": 1, **options}
    )  # of PNG: half a second less for large ones
    return path


def numbered(width: int = 40, height: int = 30) -> np.ndarray:
    """Every pixel has its own colour."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 6, y * 6, (x * 7 + y * 3) % 256], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_a_small_image_is_never_enlarged(tmp_path: Path, suffix: str) -> None:
    view = render_image(save(tmp_path / f"cell.{suffix}", numbered()), 0, BOX, DisplaySettings())
    assert np.array_equal(view.pixels, numbered())
    assert (view.image_width, view.image_height) == (40, 30)
    assert view.scale == pytest.approx(800 / 30)
    assert (view.left, view.top, view.width, view.height) == (0, 0, 40, 30)


@pytest.mark.parametrize("size", [(2800, 2100), (2100, 2800), (2000, 500), (1201, 801)])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_large_image_is_fitted_into_the_box(tmp_path: Path, size: tuple[int, int], suffix: str) -> None:
    pixels = np.asarray(Image.fromarray(a_photo(noise=0)).resize(size))
    view = render_image(save(tmp_path / f"photo.{suffix}", pixels), 0, BOX, DisplaySettings())
    height, width = view.pixels.shape[:2]
    assert width <= 1200
    assert height <= 800
    assert max(width / 1200, height / 800) >= 0.85
    assert (view.image_width, view.image_height) == size
    assert abs(width / height - size[0] / size[1]) < 0.02 * size[0] / size[1]
    assert view.scale == pytest.approx(min(1200 / size[0], 800 / size[1]))
    assert psnr(view.pixels, fit(pixels, width, height, geometry="squash", resize="linear")) > 30


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_large_lying_jpeg_is_seen_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.asarray(Image.fromarray(a_photo(noise=0)).resize((3000, 2000)))
    lying = np.ascontiguousarray(np.rot90(upright, {1: 0, 3: 2, 6: 1, 8: -1}[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "photo.jpg", lying, exif=exif)
    for zoom in (1.0, 2.0, 9.0):
        view = render_image(path, 0, (300, 200), DisplaySettings(zoom=zoom))
        assert (view.image_width, view.image_height) == (3000, 2000)
        part = upright[
            int(view.top) : int(view.top + view.height), int(view.left) : int(view.left + view.width)
        ]
        shown = fit(part, view.pixels.shape[1], view.pixels.shape[0], geometry="squash", resize="linear")
        assert psnr(view.pixels, shown) > 22  # 12 where it is turned


@pytest.mark.parametrize("shape", [(1, 10_000), (10_000, 1), (1, 1)])
@pytest.mark.parametrize("zoom", [1.0, 3.0, 1000.0])
@pytest.mark.parametrize("box", [(1, 1), (0, 0), (1200, 800), (7, 800)])
def test_strips_and_single_pixels_are_seen(
    tmp_path: Path, shape: tuple[int, int], zoom: float, box: tuple[int, int]
) -> None:
    path = save(tmp_path / "strip.png", np.full((*shape, 3), 77, np.uint8))
    view = render_image(path, 0, box, DisplaySettings(zoom=zoom, centre=(0.0, 1.0)))
    assert (view.pixels == 77).all()
    assert view.pixels.shape[1] <= max(1, box[0])
    assert view.pixels.shape[0] <= max(1, box[1])
    assert view.pixels.size


@pytest.mark.parametrize("centre", [(0.5, 0.5), (0.0, 0.0), (1.0, 1.0), (0.3, 0.9)])
def test_zoomed_in_every_pixel_is_a_square_block(tmp_path: Path, centre: tuple[float, float]) -> None:
    path = save(tmp_path / "cell.png", numbered())
    view = render_image(path, 0, (200, 100), DisplaySettings(zoom=4.0, centre=centre))
    block = int(view.scale)
    assert block == view.scale == 13  # 4 * 100 / 30, as a whole number
    left, top, width, height = (int(v) for v in (view.left, view.top, view.width, view.height))
    assert (width, height) == (200 // 13, 100 // 13)
    part = numbered()[top : top + height, left : left + width]
    assert np.array_equal(view.pixels, part.repeat(block, axis=0).repeat(block, axis=1))


def test_zoom_ends_where_single_pixels_fill_the_eye(tmp_path: Path) -> None:
    path = save(tmp_path / "cell.png", numbered())
    view = render_image(path, 0, BOX, DisplaySettings(zoom=1e6))
    assert view.scale == MAX_SCALE


def test_between_whole_image_and_pixels_the_part_is_as_in_the_file(tmp_path: Path) -> None:
    pixels = np.asarray(Image.fromarray(a_photo(noise=0)).resize((900, 600)))
    path = save(tmp_path / "photo.png", pixels)
    view = render_image(path, 0, (300, 200), DisplaySettings(zoom=3.0, centre=(0.25, 0.75)))
    assert view.scale == pytest.approx(1.0)
    left, top = int(view.left), int(view.top)
    assert np.array_equal(view.pixels, pixels[top : top + 200, left : left + 300])
    half = render_image(path, 0, (300, 200), DisplaySettings(zoom=1.5, centre=(0.0, 0.0)))
    assert half.scale == pytest.approx(0.5)
    assert half.pixels.shape == (200, 300, 3)
    shown = fit(pixels[:400, :600], 300, 200, geometry="squash", resize="linear")
    assert psnr(half.pixels, shown) > 30


def loaded(path: Path) -> LoadedImage:
    found = load_image(path)
    assert found is not None
    return found


def test_pixels_that_are_kept_show_the_same_as_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "photo.png", a_photo())
    pixels = loaded(path)
    path.unlink()  # nothing is read again
    kept = render_image(pixels, 0, BOX, DisplaySettings(zoom=5.0, invert=True, window=(1, 99)))
    save(path, a_photo())
    assert np.array_equal(
        kept.pixels, render_image(path, 0, BOX, DisplaySettings(zoom=5.0, invert=True, window=(1, 99))).pixels
    )


def seen(path: Path, look: DisplaySettings, box: tuple[int, int] = BOX) -> RenderedImage:
    return render_image(path, 0, box, look)


def test_zooming_and_panning_never_leave_the_image(tmp_path: Path) -> None:
    path = save(tmp_path / "photo.png", a_photo(60, 40))
    random = np.random.default_rng(3)
    for knows in (False, True):
        look = DisplaySettings()
        for _ in range(200):
            view = seen(path, look, (120, 100)) if knows else None
            if random.random() < 0.5:
                look = look.zoomed(float(random.choice([0.5, 1.5, 2.0])), view)
            else:
                look = look.panned(*random.choice([-0.25, 0.0, 0.25, 3.0], 2), view)
            assert look.zoom >= 1
            assert all(0 <= at <= 1 for at in look.centre)
            now = seen(path, look, (120, 100))
            assert 0 <= now.left <= now.left + now.width <= 60
            assert 0 <= now.top <= now.top + now.height <= 40


def test_zooming_out_again_ends_at_the_whole_image() -> None:
    look = DisplaySettings()
    for factor in (1.5, 1.5, 1.5, 1 / 1.5, 1 / 1.5, 1 / 1.5):
        look = look.panned(0.25, 0.25).zoomed(factor)
    assert look == DisplaySettings()


def test_a_step_back_from_the_edge_is_a_step(tmp_path: Path) -> None:
    """Steps beyond the edge do not count."""
    path = save(tmp_path / "photo.png", a_photo(600, 400))
    look = DisplaySettings().zoomed(4.0, seen(path, DisplaySettings()))
    for _ in range(50):
        look = look.panned(0.25, 0.0, seen(path, look))
    edge = seen(path, look)
    assert edge.left + edge.width == 600
    back = seen(path, look.panned(-0.25, 0.0, edge))
    assert edge.left - back.left == pytest.approx(edge.width / 4, abs=1)


def test_panning_moves_by_shares_of_what_is_seen(tmp_path: Path) -> None:
    path = save(tmp_path / "photo.png", a_photo(1200, 800))
    look = DisplaySettings(zoom=8.0)
    first, second = seen(path, look), seen(path, look.panned(0.5, -0.5))
    assert second.left - first.left == pytest.approx(first.width / 2, abs=1)
    assert first.top - second.top == pytest.approx(first.height / 2, abs=1)


def ramp(path: Path, low: int = 0, high: int = 255) -> Path:
    values = np.linspace(low, high, 256).round().astype(np.uint8)
    return save(path, np.repeat(values[None], 16, axis=0))


def tones(path: Path, look: DisplaySettings) -> np.ndarray:
    return render_image(path, 0, BOX, look).pixels[0, :, 0].astype(int)


def test_brightness_contrast_and_invert_do_what_they_say(tmp_path: Path) -> None:
    path = ramp(tmp_path / "ramp.png")
    usual = tones(path, DisplaySettings())
    assert np.array_equal(tones(path, DisplaySettings(invert=True)), 255 - usual)
    assert np.abs(tones(path, DisplaySettings(brightness=20)) - (usual + 51).clip(0, 255)).max() <= 1
    assert np.abs(tones(path, DisplaySettings(brightness=-20)) - (usual - 51).clip(0, 255)).max() <= 1
    steep = tones(path, DisplaySettings(contrast=50))
    assert (np.diff(steep) >= 0).all()
    assert (steep == 0).sum() > 60
    assert (steep == 255).sum() > 60
    assert abs(int(steep[128]) - 128) <= 2
    assert set(tones(path, DisplaySettings(contrast=100)).tolist()) <= {0, 255}
    assert np.abs(tones(path, DisplaySettings(contrast=-100)) - 128).max() <= 1


def test_a_window_spreads_the_tones_between_its_percentiles(tmp_path: Path) -> None:
    path = ramp(tmp_path / "dim.png", 40, 90)
    assert tones(path, DisplaySettings()).max() == 90
    whole = tones(path, DisplaySettings(window=(0, 100)))
    assert (whole[0], whole[-1]) == (0, 255)
    cut = tones(path, DisplaySettings(window=(10, 90)))
    assert (cut[:20] == 0).all()
    assert (cut[-20:] == 255).all()


def test_a_window_leaves_an_image_of_one_value_alone(tmp_path: Path) -> None:
    for value in (0, 9, 255):
        path = save(tmp_path / "flat.png", np.full((9, 9), value, np.uint8))
        assert (render_image(path, 0, BOX, DisplaySettings(window=(5, 95))).pixels == value).all()


def test_a_few_bright_spots_on_black_are_seen_through_a_window(tmp_path: Path) -> None:
    pixels = np.zeros((100, 100), np.uint8)
    pixels[50, 50:53] = (20, 40, 60)
    shown = render_image(
        save(tmp_path / "spots.png", pixels), 0, BOX, DisplaySettings(window=(2, 98))
    ).pixels[50, :, 0]
    assert shown[52] == 255
    assert 0 < shown[50] < shown[51] < 255


@pytest.mark.parametrize(("channel", "index"), [("red", 0), ("green", 1), ("blue", 2)])
def test_one_channel_is_shown_in_grey(tmp_path: Path, channel: str, index: int) -> None:
    path = save(tmp_path / "cell.png", numbered())
    look = DisplaySettings(channels=ChannelChoice(alone=index))
    view = render_image(path, 0, BOX, look)
    assert view.channels[index] == channel
    assert np.array_equal(view.pixels, numbered()[..., index : index + 1].repeat(3, axis=2))
    grey = ramp(tmp_path / "ramp.png")
    assert np.array_equal(tones(grey, look), tones(grey, DisplaySettings()))


def deep_path(tmp_path: Path, kind: str) -> Path:
    """Tones from 1000 to 1255 of 65535: 8 bits of the file hold one of them."""
    values = np.full((64, 256), 0, np.uint16) + np.arange(1000, 1256, dtype=np.uint16)
    values[0, 0], values[0, 1] = 0, 60_000
    path = tmp_path / f"deep.{kind}"
    if kind == "png":
        path.write_bytes(deep_png(np.repeat(values[..., None], 3, axis=2)))
        return path
    return save(path, values)


@pytest.mark.parametrize("kind", ["tif", "png"])
def test_a_window_of_a_deep_image_is_that_of_its_raw_values(tmp_path: Path, kind: str) -> None:
    path = deep_path(tmp_path, kind)
    usual = render_image(path, 0, BOX, DisplaySettings())
    assert np.array_equal(usual.pixels, decode(path))
    narrow = render_image(path, 0, BOX, DisplaySettings(window=(40, 60))).pixels[9, :, 0].astype(int)
    assert (narrow[:100] == 0).all()
    assert (narrow[-100:] == 255).all()
    assert len(np.unique(narrow)) > 40  # nothing was lost in 8 bits before
    wide = render_image(path, 0, BOX, DisplaySettings(window=(0, 100))).pixels[9, :, 0]
    assert np.ptp(wide.astype(int)) <= 2


def test_kept_pixels_of_a_deep_image_follow_the_window(tmp_path: Path) -> None:
    path = deep_path(tmp_path, "tif")
    look = DisplaySettings(window=(40, 60), zoom=4.0)
    from_file = render_image(path, 0, BOX, look).pixels
    assert np.array_equal(render_image(loaded(path), 0, BOX, look).pixels, from_file)


@pytest.mark.parametrize("window", [(50.0, 50.0), (-1.0, 50.0), (90.0, 101.0)])
def test_a_window_that_is_none_is_refused(window: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="percentiles"):
        DisplaySettings(window=window)


def test_pages_are_frames(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((8, 8), 10 * i, np.uint8)) for i in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    assert render_image(tmp_path / "stack.tif", 2, BOX, DisplaySettings()).pixels[0, 0, 0] == 20
    with pytest.raises(DecodeError, match="no frame 3"):
        render_image(tmp_path / "stack.tif", 3, BOX, DisplaySettings())


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif"])
@pytest.mark.parametrize("zoom", [1.0, 4.0])
def test_damaged_bytes_give_a_view_or_a_sentence_and_nothing_else(
    tmp_path: Path, suffix: str, zoom: float
) -> None:
    random = np.random.default_rng(5)
    path = save(tmp_path / f"cell.{suffix}", a_photo(48, 32))
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(60):
        data = whole.copy()
        places = random.integers(0, min(len(data), 400), random.integers(1, 8))
        data[places] = random.integers(0, 256, len(places))
        cut = random.integers(1, len(data) + 1) if random.random() < 0.3 else len(data)
        path.write_bytes(data[:cut].tobytes())
        try:
            view = render_image(
                path, 0, (20, 20), DisplaySettings(zoom=zoom, window=(1, 99)), max_megapixels=4
            )
            assert view.pixels.ndim == 3
        except DecodeError as error:
            assert error.message.startswith("cell.")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    huge.write_bytes(huge_png(19_000, 19_000))
    photo = save(tmp_path / "photo.jpg", a_photo(400, 300))
    photo.write_bytes(photo.read_bytes()[:5000])
    for path, says in ((huge, "megapixels"), (photo, "cut short"), (tmp_path / "gone.png", "not there")):
        with pytest.raises(DecodeError, match=says):
            render_image(path, 0, BOX, DisplaySettings())
        with pytest.raises(DecodeError, match=says):
            load_image(path)


def test_a_jpeg_of_100_megapixels_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.linear_gradient("L").resize((12_000, 8_333)).convert("RGB").save(path, quality=80)
    small = save(tmp_path / "small.jpg", a_photo())
    program = f"""
from pathlib import Path
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
render_image(Path({str(small)!r}), 0, {BOX}, DisplaySettings())
before = peak()
assert render_image(Path({str(path)!r}), 0, {BOX}, DisplaySettings()).pixels.shape[0] > 700
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100 * 1024
