"""Mixup and cutmix: which images are mixed, by which shares, and that parts of a batch are mixed as the whole."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.augmentation.mixing import mix_images, portion_of


def config_of(**fields: float) -> TrainConfig:
    return TrainConfig(**fields)  # type: ignore[arg-type]


def mixed(images: Tensor, config: TrainConfig, epoch: int = 0) -> tuple[Tensor, Tensor]:
    count = len(images)
    partners = portion_of(torch.arange(count), torch.arange(count), config).partners
    return mix_images(images, config, seed=0, epoch=epoch, samples=torch.arange(count), partners=partners)


def test_mixup_blends_an_image_with_the_next_one_of_the_batch() -> None:
    images = torch.rand(200, 3, 8, 8)
    after, share = mixed(images, config_of(mixup=0.6, mixup_alpha=1.0))
    for row in range(200):
        own = float(share[row])
        expected = own * images[row].numpy() + (1 - own) * images[(row + 1) % 200].numpy()
        np.testing.assert_allclose(after[row], expected, atol=1e-6)
    alone = share == 1
    assert 50 < int(alone.sum()) < 110  # 80 expected
    assert torch.equal(after[alone], images[alone])
    assert share.min() >= 0.5 and share.dtype == torch.float32


def test_cutmix_takes_a_rectangle_of_the_next_image_and_its_area_as_share() -> None:
    numbers = torch.arange(200.0).view(200, 1, 1, 1).expand(200, 1, 20, 30)
    after, share = mixed(numbers, config_of(cutmix=1.0))
    lefts, tops = set(), set()
    for row in range(200):
        other = after[row, 0] == (row + 1) % 200
        assert ((after[row, 0] == row) | other).all()
        assert float(share[row]) == pytest.approx(1 - other.float().mean().item(), abs=1e-6)
        down, across = other.nonzero().T
        if len(down):
            assert len(down) == (down.max() - down.min() + 1) * (across.max() - across.min() + 1)
            tops.add(int(down.min()))
            lefts.add(int(across.min()))
    assert share.min() >= 0.48 and len(tops) > 10 and len(lefts) > 15


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 2.0, 10.0])
def test_shares_are_distributed_as_a_beta_distribution(alpha: float) -> None:
    _, share = mixed(torch.zeros(20_000, 1, 1, 1), config_of(mixup=1.0, mixup_alpha=alpha))
    drawn = np.random.default_rng(0).beta(alpha, alpha, 200_000)
    expected = np.quantile(np.maximum(drawn, 1 - drawn), np.linspace(0, 1, 21)[1:-1])
    found = np.quantile(share.numpy(), np.linspace(0, 1, 21)[1:-1])
    np.testing.assert_allclose(found, expected, atol=0.012)


def test_with_both_each_image_is_mixed_in_one_of_the_two_ways() -> None:
    numbers = torch.arange(400.0).view(400, 1, 1, 1).expand(400, 1, 16, 16)
    after, _ = mixed(numbers, config_of(mixup=1.0, cutmix=1.0, mixup_alpha=1.0))
    whole = after.flatten(1).diff().eq(0).all(1)  # blended: the same everywhere
    assert 150 < int(whole.sum()) < 250
    only_a_few = mixed(numbers, config_of(mixup=0.2, cutmix=0.2))[1] < 1
    assert 100 < int(only_a_few.sum()) < 180  # 144 expected


def test_nothing_but_seed_epoch_and_sample_decides_how_an_image_is_mixed() -> None:
    images, config = torch.rand(12, 3, 8, 8), config_of(mixup=0.7, cutmix=0.5)
    samples, partners = torch.arange(30, 42), (torch.arange(12) + 1) % 12
    once = mix_images(images, config, seed=1, epoch=2, samples=samples, partners=partners)
    before = images.clone()
    rows = torch.tensor([7, 2])
    both = torch.cat((images[rows], images[rows + 1]))
    part = mix_images(both, config, seed=1, epoch=2, samples=samples[rows], partners=torch.tensor([2, 3]))
    assert torch.equal(part[0], once[0][rows]) and torch.equal(part[1], once[1][rows])
    other = mix_images(images, config, seed=1, epoch=3, samples=samples, partners=partners)
    assert not torch.equal(other[1], once[1])
    assert torch.equal(images, before)


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_processes_that_share_a_batch_mix_it_as_one_does(processes: int) -> None:
    config = config_of(mixup=0.7, cutmix=0.5)
    images, order = torch.rand(11, 1, 6, 6), torch.randperm(11)
    whole = mix_images(
        images[order], config, seed=0, epoch=1, samples=order, partners=(torch.arange(11) + 1) % 11
    )
    found = []
    for part in torch.arange(11).tensor_split(processes):
        portion = portion_of(torch.arange(11), part, config)
        assert len(portion.places) == min(11, len(part) + 1)
        read = order[portion.places]
        own = read[: len(portion.partners)]
        found.append(
            mix_images(images[read], config, seed=0, epoch=1, samples=own, partners=portion.partners)
        )
    assert torch.equal(torch.cat([each for each, _ in found]), whole[0])
    assert torch.equal(torch.cat([share for _, share in found]), whole[1])


def test_an_image_whose_next_one_cannot_be_read_stays_alone() -> None:
    config, images = config_of(mixup=1.0), torch.rand(6, 1, 4, 4)
    kept = torch.tensor([0, 1, 3, 5])
    left = portion_of(torch.arange(6), torch.arange(6), config).readable(kept)
    assert left.places.tolist() == [0, 1, 3, 5] and left.partners.tolist() == [1, -1, -1, 0]
    after, share = mix_images(
        images[kept], config, seed=0, epoch=0, samples=left.places, partners=left.partners
    )
    whole, whole_share = mixed(images, config)
    assert share.tolist() == [whole_share[0], 1, 1, whole_share[5]]
    assert torch.equal(after[[0, 3]], whole[[0, 5]]) and torch.equal(after[[1, 2]], images[[1, 3]])


def test_a_single_image_and_images_that_are_not_mixed_have_no_partner() -> None:
    assert portion_of(torch.tensor([4]), torch.arange(1), config_of(mixup=1.0)).partners.tolist() == [-1]
    portion = portion_of(torch.arange(8, 14), torch.arange(2, 4), config_of())
    assert portion.places.tolist() == [10, 11] and portion.partners.tolist() == [-1, -1]
