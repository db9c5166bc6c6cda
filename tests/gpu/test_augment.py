import pytest
import torch

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.random import uniforms

pytestmark = pytest.mark.gpu

ALL = {
    **{"blur": 0.4, "piecewise_affine": 0.3, "dropout": 0.3, "affine": 0.5, "rotate90": 0.5},
    **{
        "resized_crop": 0.3,
        "colour_jitter": 0.3,
        "stain_jitter": 0.3,
        "trivial_augment": 0.3,
        "erasing": 0.3,
    },
}


def test_a_gpu_draws_the_numbers_of_the_cpu() -> None:
    samples = torch.arange(10_000)
    on_gpu = uniforms(3, 4, samples.cuda(), 7, stream=8)
    assert torch.equal(on_gpu.cpu(), uniforms(3, 4, samples, 7, stream=8))


def test_a_gpu_augments_as_the_cpu_does() -> None:
    images = torch.rand(64, 3, 48, 48).contiguous(memory_format=torch.channels_last)
    config, samples = TrainConfig(**ALL), torch.arange(64)  # type: ignore[arg-type]
    on_cpu = augment(images, config, seed=0, epoch=1, samples=samples)
    on_gpu = augment(images.cuda(), config, seed=0, epoch=1, samples=samples)
    assert on_gpu.is_contiguous(memory_format=torch.channels_last)
    # places are computed with other roundings: a nearest pixel may be the neighbour's, one in a thousand
    close = torch.isclose(on_gpu.cpu(), on_cpu, atol=1e-3)
    assert close.float().mean() > 0.999


def test_a_sample_gets_the_same_pixels_in_any_batch_on_a_gpu() -> None:
    images = torch.rand(16, 3, 48, 48, device="cuda").contiguous(memory_format=torch.channels_last)
    config, samples = TrainConfig(**ALL), torch.arange(16)  # type: ignore[arg-type]
    whole = augment(images, config, seed=0, epoch=1, samples=samples)
    for rows in (torch.tensor([5]), torch.tensor([9, 2, 15])):
        on_gpu = rows.cuda()
        part = augment(images[on_gpu], config, seed=0, epoch=1, samples=samples[rows])
        assert torch.equal(part, whole[on_gpu])


def test_choosing_what_to_augment_does_not_wait_for_the_gpu() -> None:
    images = torch.rand(32, 3, 48, 48, device="cuda")
    config, samples = TrainConfig(**ALL), torch.arange(32)  # type: ignore[arg-type]
    augment(images, config, seed=0, epoch=0, samples=samples)  # fills caches
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        augment(images, config, seed=0, epoch=1, samples=samples)
    finally:
        torch.cuda.set_sync_debug_mode("default")
