import numpy as np
import pytest
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augment import augment, is_augmented
from mia_tui.engine.data.augmentation.moves import draw_moves
from mia_tui.engine.data.random import uniforms
from mia_tui.engine.data.scaling import to_tensor, to_unit

OFF = {"flip_horizontal": 0.0, "flip_vertical": 0.0, "rotate90": 0.0}
EACH: dict[str, dict[str, float]] = {
    "flips": {**OFF, "flip_horizontal": 0.5, "flip_vertical": 0.5},
    "rotate90": {**OFF, "rotate90": 0.7},
    "blur": {**OFF, "blur": 0.6},
    "piecewise_affine": {**OFF, "piecewise_affine": 0.6},
    "dropout": {**OFF, "dropout": 0.6},
    "affine": {**OFF, "affine": 0.6},
    "resized_crop": {**OFF, "resized_crop": 0.6},
    "trivial_augment": {**OFF, "trivial_augment": 0.9},
    "stain_jitter": {**OFF, "stain_jitter": 0.6},
    "colour_jitter": {**OFF, "colour_jitter": 0.6},
    "erasing": {**OFF, "erasing": 0.6},
    "all": {"blur": 0.4, "piecewise_affine": 0.3, "dropout": 0.3, "affine": 0.5, "rotate90": 0.5},
}
IN_COLOUR = {"stain_jitter"}
"""What happens to pictures in red, green and blue only."""


def make_config(**fields: float) -> TrainConfig:
    return TrainConfig(**{**OFF, **fields})  # type: ignore[arg-type]


def pictures(count: int = 24, channels: int = 3, height: int = 20, width: int = 20) -> Tensor:
    """No two pixels alike, values in 0.1..1."""
    generator = torch.Generator().manual_seed(0)
    images = 0.1 + 0.9 * torch.rand((count, channels, height, width), generator=generator)
    return images.contiguous(memory_format=torch.channels_last)


def run(images: Tensor, config: TrainConfig, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Tensor:
    return augment(images, config, seed=seed, epoch=epoch, samples=torch.arange(first, first + len(images)))


def changed(before: Tensor, after: Tensor) -> Tensor:
    """Which images differ, (N,)."""
    return (before != after).flatten(1).any(1)


def test_everything_off_costs_nothing() -> None:
    images = pictures()
    assert not is_augmented(make_config())
    assert run(images, make_config()) is images


@pytest.mark.parametrize("name", EACH)
def test_a_sample_gets_the_same_pixels_in_any_batch(name: str) -> None:
    config, images, samples = make_config(**EACH[name]), pictures(), torch.arange(100, 124)
    whole = augment(images, config, seed=5, epoch=7, samples=samples)
    for rows in (torch.tensor([3]), torch.arange(12, 24), torch.arange(24).flip(0), torch.tensor([9, 2, 17])):
        part = augment(images[rows], config, seed=5, epoch=7, samples=samples[rows])
        assert torch.equal(part, whole[rows])


@pytest.mark.parametrize("name", EACH)
def test_pixels_depend_on_nothing_but_seed_epoch_and_sample(name: str) -> None:
    config, images = make_config(**EACH[name]), pictures()
    assert changed(images, run(images, config)).any()
    once = run(images, config, seed=1, epoch=2)
    torch.manual_seed(99)
    torch.rand(10)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(1 if threads > 1 else 2)
        assert torch.equal(run(images, config, seed=1, epoch=2), once)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(run(images, config, seed=2, epoch=2), once)
    assert not torch.equal(run(images, config, seed=1, epoch=3), once)
    assert not torch.equal(run(images, config, seed=1, epoch=2, first=1), once)


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_shape_range_and_memory_format_and_the_input_is_left_alone(
    name: str, channels: int
) -> None:
    config, images = make_config(**EACH[name]), pictures(channels=channels)
    before = images.clone()
    for given in (images, images.contiguous()):
        after = run(given, config)
        assert torch.equal(given, before)
        assert after.shape == given.shape and after.dtype == torch.float32
        assert after.stride() == given.stride()
        assert after.min() >= 0 and after.max() <= 1 + 1e-6
    assert torch.equal(run(images, config), run(images.contiguous(), config))


@pytest.mark.parametrize("name", ["blur", "piecewise_affine", "affine", "resized_crop"])
def test_an_even_picture_stays_even(name: str) -> None:
    """Nothing dark comes in from beyond the border."""
    even = torch.full((16, 3, 20, 20), 0.6)
    np.testing.assert_allclose(run(even, make_config(**EACH[name])).numpy(), 0.6, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 33), (40, 16)])
def test_small_and_oblong_images_can_be_augmented(height: int, width: int) -> None:
    fields = {**EACH["all"], "rotate90": 0.0, "blur": 1.0, "blur_sigma": 20.0}
    after = run(pictures(8, 3, height, width), make_config(**fields))
    assert after.isfinite().all() and after.shape == (8, 3, height, width)


@pytest.mark.parametrize(
    "field",
    [
        *("flip_horizontal", "flip_vertical", "rotate90", "blur", "piecewise_affine", "dropout", "affine"),
        *("resized_crop", "colour_jitter", "stain_jitter", "erasing", "trivial_augment"),
    ],
)
def test_each_augmentation_happens_as_often_as_asked(field: str) -> None:
    images = pictures(400, 3 if field in IN_COLOUR else 1, 8, 8)
    sure = {"dropout_pixels_min": 0.5, "dropout_patches_min": 0.9, "dropout_patches_max": 0.9}
    shares = []
    for probability in (0.3, 1.0):
        after = run(images, make_config(**sure, **{field: probability}))
        shares.append(float(changed(images, after).float().mean()))
    assert 0.2 < shares[0] < 0.4  # deviation 0.023
    # a slight blur or warp may leave 64 pixels as they are; of 14 operations of TrivialAugment two do nothing in grey
    assert shares[1] > 0.8


def test_one_setting_does_not_shift_the_draws_of_another() -> None:
    images = pictures(64)
    flips = run(images, make_config(flip_horizontal=0.5))
    both = run(images, make_config(flip_horizontal=0.5, blur=0.5))
    blurred = changed(flips, both)
    assert 16 < int(blurred.sum()) < 48
    assert torch.equal(blurred, changed(images, run(images, make_config(blur=0.5))))


def test_flips_and_turns_only_move_pixels() -> None:
    images = pictures(200)
    after = run(images, make_config(flip_horizontal=0.5, flip_vertical=0.5, rotate90=0.75))
    turned = [torch.rot90(images, k, (2, 3)) for k in range(4)]
    ways = torch.stack(turned + [image.flip(3) for image in turned])  # (8, N, C, H, W)
    equal = (ways == after).flatten(2).all(2)
    assert equal.sum(0).eq(1).all()
    counts = equal.sum(1)
    assert counts.min() >= 10 and counts.max() <= 40  # 25 expected of each


def test_flips_are_left_to_right_and_upside_down() -> None:
    images = pictures(2)
    assert torch.equal(run(images, make_config(flip_horizontal=1.0)), images.flip(3))
    assert torch.equal(run(images, make_config(flip_vertical=1.0)), images.flip(2))


def test_an_input_that_is_not_square_is_turned_by_180_degrees_only() -> None:
    images = pictures(40, 3, 10, 20)
    after = run(images, make_config(rotate90=0.5))
    turned = changed(images, after)
    assert 5 < int(turned.sum()) < 35
    assert torch.equal(after[turned], torch.rot90(images[turned], 2, (2, 3)))


def test_blur_is_up_to_the_largest_sigma() -> None:
    spot = torch.zeros(300, 1, 41, 41)
    spot[:, :, 20, 20] = 1
    after = run(spot, make_config(blur=1.0, blur_sigma=3.0))
    across = after.sum((1, 2)) @ (torch.arange(41.0) - 20) ** 2  # variance of the spot
    sigmas = across.sqrt()
    assert sigmas.max() < 3.0 and sigmas.max() > 2.7
    assert float(sigmas.mean()) == pytest.approx(1.5, abs=0.15)


def test_pixel_dropout_blackens_single_pixels_within_its_range() -> None:
    after = run(
        torch.ones(300, 3, 32, 32), make_config(dropout=1.0, dropout_patches_min=0, dropout_patches_max=0)
    )
    black = after == 0
    assert ((after == 0) | (after == 1)).all()
    hit = black.flatten(1).any(1)
    assert 0.4 < float(hit.float().mean()) < 0.6  # the others were given patches
    shares = black[hit].float().mean((1, 2, 3))
    assert shares.min() > 0.003 and shares.max() < 0.12
    assert float(shares.mean()) == pytest.approx(0.055, abs=0.006)
    together = (black[hit].all(1) == black[hit].any(1)).flatten(1).all(1)
    assert 0.35 < float(together.float().mean()) < 0.65


def test_patch_dropout_blackens_rectangles_of_a_coarse_grid() -> None:
    config = make_config(
        dropout=1.0,
        dropout_pixels_min=0,
        dropout_pixels_max=0,
        dropout_patches_min=0.3,
        dropout_patches_max=0.3,
        dropout_patch_size_min=0.1,
        dropout_patch_size_max=0.2,
        dropout_patches_per_channel=0.3,
    )
    after = run(torch.ones(400, 3, 40, 60), config)
    black = after == 0
    hit = black.flatten(1).any(1)
    assert 0.4 < float(hit.float().mean()) < 0.6
    assert float(black[hit].float().mean()) == pytest.approx(0.3, abs=0.03)
    for image in black[hit][:, 0]:
        assert len(image.unique(dim=0)) <= 8  # 40 rows * 0.2: 4 to 7 cells, so at most 8 kinds of rows
        assert len(image.T.unique(dim=0)) <= 12
    together = (black[hit].all(1) == black[hit].any(1)).flatten(1).all(1)
    assert 0.6 < float(together.float().mean()) < 0.8


def test_patches_are_never_so_large_that_one_covers_the_image() -> None:
    config = make_config(
        dropout=1.0, dropout_pixels_min=0, dropout_pixels_max=0, dropout_patch_size_min=0.001
    )
    after = run(torch.ones(200, 1, 16, 16), config)
    assert float((after == 0).float().mean((1, 2, 3)).max()) < 0.7


def test_the_affine_map_is_scale_shear_rotation_and_shift_about_the_middle() -> None:
    height, width, count = 30, 44, 40
    config = make_config(affine=1.0)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    ramps = torch.tensor(np.stack((x, y)) / 100, dtype=torch.float32).expand(count, 2, height, width)
    after = 100 * run(ramps, config).double().numpy()  # where each pixel was fetched from

    drawn = uniforms(0, 0, torch.arange(count), 8, stream=8).double().numpy()[:, 1:]
    smooth = np.flatnonzero(drawn[:, 6] < 0.5)
    assert 10 < len(smooth) < 30
    for row in smooth:
        scale_x, scale_y = 0.8 + 0.4 * drawn[row, :2]
        shift_x, shift_y = (0.4 * drawn[row, 2:4] - 0.2) * (width, height)
        shear, angle = np.deg2rad((32 * drawn[row, 4] - 16, 90 * drawn[row, 5] - 45))
        to_middle = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
        shifted = np.array([[1, 0, shift_x], [0, 1, shift_y], [0, 0, 1]])
        rotated = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        sheared = np.array([[1, np.tan(shear), 0], [0, 1, 0], [0, 0, 1]])
        scaled = np.diag([scale_x, scale_y, 1])
        forward = np.linalg.inv(to_middle) @ shifted @ rotated @ sheared @ scaled @ to_middle
        source = np.einsum("ij,jhw->ihw", np.linalg.inv(forward), np.stack((x, y, np.ones_like(x))))[:2]
        within = (source >= 0).all(0) & (source[0] <= width - 1) & (source[1] <= height - 1)
        assert within.mean() > 0.3
        np.testing.assert_allclose(after[row][:, within], source[:, within], atol=1e-3)


def test_the_affine_map_takes_nearest_or_linear_in_turn() -> None:
    images = pictures(200, 1, 12, 12)
    after = run(images, make_config(affine=1.0, affine_scale_max=1.2))
    nearest = sum(bool(np.isin(a, b).all()) for a, b in zip(after.numpy(), images.numpy(), strict=True))
    assert 70 < nearest < 130


def test_the_points_of_the_grid_move_by_normal_numbers_within_the_asked_scale() -> None:
    size, count = 64, 400
    config = make_config(piecewise_affine=1.0, piecewise_scale_min=0.05, piecewise_scale_max=0.05)
    ramps = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="xy")) / size
    after = size * run(ramps.expand(count, 2, size, size), config)
    moves = (after - size * ramps)[:, :, 21, 42]  # (21, 42) is an inner point of the grid
    assert float(moves.mean()) == pytest.approx(0, abs=0.5)
    assert float(moves.std()) == pytest.approx(0.05 * size, rel=0.1)
    within_one_deviation = (moves.abs() < 0.05 * size).float().mean()
    assert float(within_one_deviation) == pytest.approx(0.683, abs=0.06)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_pixels_of_8_and_16_bits_are_augmented_as_their_brightness_is(kind: type) -> None:
    values = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (24, 20, 20, 3), kind, endpoint=True)
    pixels = to_tensor(values).permute(0, 3, 1, 2)
    config = make_config(**EACH["all"], resized_crop=0.5, colour_jitter=0.5)
    assert torch.equal(run(pixels, config), run(to_unit(pixels), config))
    assert torch.equal(run(pixels, make_config()), to_unit(pixels))


def test_moves_may_be_drawn_for_a_whole_epoch() -> None:
    config, images, order = make_config(**EACH["all"]), pictures(), torch.randperm(24)
    moves = draw_moves(config, seed=4, epoch=2, samples=order)
    for places in (torch.arange(8), torch.arange(8, 24)):
        samples = order[places]
        told = augment(images[places], config, seed=4, epoch=2, samples=samples, moves=moves[places])
        assert torch.equal(told, augment(images[places], config, seed=4, epoch=2, samples=samples))


def test_flips_and_turns_are_those_of_earlier_versions() -> None:
    """A run of one is resumed with the same pixels."""
    images, samples = pictures(60), torch.arange(60)
    after = run(images, make_config(flip_horizontal=0.5, flip_vertical=0.3, rotate90=0.6), seed=3, epoch=9)
    drawn = [uniforms(3, 9, samples, 2, stream=stream) for stream in (1, 2, 3)]
    for row, image in enumerate(images):
        expected = image.flip(2) if drawn[0][row, 0] < 0.5 else image
        expected = expected.flip(1) if drawn[1][row, 0] < 0.3 else expected
        if drawn[2][row, 0] < 0.6:
            expected = torch.rot90(expected, 1 + int(drawn[2][row, 1] * 3), (1, 2))
        assert torch.equal(after[row], expected)


def test_a_resized_crop_is_a_part_of_the_image_at_the_whole_size() -> None:
    height, width, count = 24, 32, 60
    config = make_config(resized_crop=1.0, crop_area_min=0.2, crop_area_max=0.6, crop_ratio=1.5)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    ramps = torch.tensor(np.stack((x, y)) / 100, dtype=torch.float32).expand(count, 2, height, width)
    after = 100 * run(ramps, config).double().numpy()
    steps_x = (after[:, 0, 12, -2] - after[:, 0, 12, 1]) / (width - 3)  # of the image, by pixel of the crop
    steps_y = (after[:, 1, -2, 16] - after[:, 1, 1, 16]) / (height - 3)
    areas, ratios = steps_x * steps_y, steps_x / steps_y
    assert 0.2 < areas.min() < 0.24 and 0.56 < areas.max() < 0.6
    assert 0.66 < ratios.min() < 0.8 and 1.25 < ratios.max() < 1.51
    left = after[:, 0, 12, 1] - 1.5 * steps_x + 0.5  # outer edges of the crop, which are within the image
    right = after[:, 0, 12, -2] + 1.5 * steps_x + 0.5
    assert (left > -0.01).all() and left.min() < 2 and left.max() > 8
    assert (right < width + 0.01).all() and right.max() > width - 2


def test_a_resized_crop_is_interpolated_as_by_torch() -> None:
    images = pictures(12, 2, 20, 20)
    config = make_config(resized_crop=1.0, crop_area_min=0.25, crop_area_max=0.25, crop_ratio=1.0)
    after = run(images, config)
    corners = uniforms(0, 0, torch.arange(12), 5, stream=9)[:, 3:] * 10
    for image, corner, crop in zip(images, corners, after, strict=True):
        x, y = (float(start) + (torch.arange(20) - 0.5) / 2 for start in corner)
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), 2) / 19 * 2 - 1
        expected = torch.nn.functional.grid_sample(image[None], grid[None], align_corners=True)[0]
        np.testing.assert_allclose(crop[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-5)


def test_one_rectangle_is_erased_by_noise_of_the_asked_size() -> None:
    config = make_config(erasing=1.0, erasing_share_min=0.1, erasing_share_max=0.3)
    after = run(torch.full((200, 3, 40, 40), 2.0), config)
    erased = after != 2
    assert (erased.all(1) == erased.any(1)).all()
    erased = erased[:, 0]
    rows, columns = erased.any(2).sum(1), erased.any(1).sum(1)
    assert (erased.sum((1, 2)) == rows * columns).all()  # it is a rectangle
    shares = erased.float().mean((1, 2))
    assert 0.08 < shares.min() < 0.13 and 0.27 < shares.max() < 0.32
    ratios = rows / columns
    assert ratios.min() < 0.5 and ratios.max() > 2 and ratios.max() < 3.6
    noise = after[erased.unsqueeze(1).expand_as(after)]
    assert noise.min() >= 0 and noise.max() < 1 and float(noise.mean()) == pytest.approx(0.5, abs=0.02)
    assert float(noise.std()) == pytest.approx(0.289, abs=0.02)
