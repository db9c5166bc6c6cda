import math

import pytest
import torch

from mia_tui.engine.data.random import ORDER_STREAM, hashes, uniforms, uniforms_at

BITS = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
BLUR, AFFINE = 4, 8  # streams


def splitmix(x: int) -> int:
    """The finaliser of SplitMix64 in Python's integers."""
    x &= BITS
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & BITS
    x = (x ^ x >> 27) * 0x94D049BB133111EB & BITS
    return x ^ x >> 31


def expected(seed: int, epoch: int, sample: int, index: int, stream: int) -> float:
    key = 0
    for part in (seed, epoch, stream):
        key = splitmix(key + GOLDEN + part)
    state = splitmix(sample * GOLDEN + key)
    return (splitmix(state + (index + 1) * GOLDEN) >> 40) / 2**24


def test_the_reference_of_these_tests_is_splitmix64() -> None:
    assert splitmix(GOLDEN) == 0xE220A8397B1DCDAF  # first output for state 0, as published with the algorithm


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (1, 0), (0, 1), (2**31 - 1, 10_000)])
def test_numbers_equal_those_of_plain_integers(seed: int, epoch: int) -> None:
    samples = torch.tensor([0, 1, 7, 123_456_789])
    drawn = uniforms(seed, epoch, samples, 5, stream=BLUR)
    wanted = [[expected(seed, epoch, int(s), i, BLUR) for i in range(5)] for s in samples.tolist()]
    assert drawn.dtype == torch.float32
    assert drawn.tolist() == wanted


def test_a_sample_draws_the_same_in_every_batch() -> None:
    whole = uniforms(3, 4, torch.arange(100), 6, stream=AFFINE)
    some = torch.tensor([99, 0, 42])
    assert torch.equal(uniforms(3, 4, some, 6, stream=AFFINE), whole[some])
    assert torch.equal(uniforms(3, 4, torch.arange(100), 2, stream=AFFINE), whole[:, :2])


def test_equal_indexes_give_equal_numbers_in_any_shape() -> None:
    samples = torch.tensor([5, 6])
    plain = uniforms(1, 2, samples, 4, stream=7)
    index = torch.tensor([[[0, 3], [3, 1]], [[2, 2], [0, 1]]])
    at = uniforms_at(1, 2, samples, index, stream=7)
    assert torch.equal(at, torch.stack([plain[0][index[0]], plain[1][index[1]]]))


def test_seed_epoch_and_stream_each_give_other_numbers() -> None:
    samples = torch.arange(50)
    drawn = [
        uniforms(seed, epoch, samples, 1, stream=stream)
        for seed in (0, 1)
        for epoch in (0, 1)
        for stream in (BLUR, AFFINE)
    ]
    for i, one in enumerate(drawn):
        for other in drawn[:i]:
            assert (one != other).all()


def test_numbers_are_spread_evenly_and_neighbours_are_independent() -> None:
    n = 100_000
    drawn = uniforms(0, 0, torch.arange(n // 10), 10, stream=BLUR).double()
    assert drawn.min() >= 0 and drawn.max() < 1
    counts = torch.histc(drawn, bins=100, min=0, max=1)
    chi_square = float(((counts - n / 100) ** 2 / (n / 100)).sum())
    assert abs(chi_square - 99) < 5 * math.sqrt(2 * 99)
    z = (drawn - 0.5) * math.sqrt(12)
    for pairs in (z[1:] * z[:-1], z[:, 1:] * z[:, :-1]):  # neighbouring samples, neighbouring indexes
        assert abs(float(pairs.mean())) < 5 / math.sqrt(pairs.numel())


def test_hashes_of_many_samples_do_not_collide() -> None:
    assert len(hashes(0, 0, torch.arange(200_000), stream=ORDER_STREAM).unique()) == 200_000
