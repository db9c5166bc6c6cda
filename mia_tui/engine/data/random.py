"""Random numbers without a state: a hash of (seed, epoch, stream, sample, index).

A number depends on nothing else, so the same image is augmented in the same way whatever the batch it comes
in, the cache, the number of workers, the device, and whether the run was broken off and resumed. There is
no state to save in a checkpoint. A stream is what a number is for: one setting does not shift the numbers of
another.

The hash is SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014) in int64
tensors: torch has no arithmetic for uint64, and int64 wraps around on CPU and GPU alike.
"""

import torch
from torch import Tensor

ORDER_STREAM = 0
"""Of the order of the images in an epoch; `augment` has the others."""

SAMPLING_STREAM = 1000
"""Of which images of a class are shown once more; far from those of augmentations."""

_BITS = 0xFFFF_FFFF_FFFF_FFFF
_GOLDEN = 0x9E37_79B9_7F4A_7C15
_FIRST = 0xBF58_476D_1CE4_E5B9
_SECOND = 0x94D0_49BB_1331_11EB
_MANTISSA = 24  # bits of a float32: every multiple of 2**-24 below 1 is exact


def uniforms(seed: int, epoch: int, samples: Tensor, count: int, *, stream: int) -> Tensor:
    """Numbers for each sample of a batch.

    Args:
        seed: Seed of the run.
        epoch: Number of the epoch.
        samples: Row numbers in the run's samples, shape (N,), int64.
        count: How many for each sample.
        stream: Number of what they are for.

    Returns:
        Multiples of 2**-24 in [0, 1), shape (N, count), float32, on the device of `samples`.
    """
    index = torch.arange(count, device=samples.device)
    return uniforms_at(seed, epoch, samples, index.unsqueeze(0), stream=stream)


def uniforms_at(seed: int, epoch: int, samples: Tensor, index: Tensor, *, stream: int) -> Tensor:
    """Numbers by index, for masks: equal indexes of one sample give equal numbers.

    Args:
        seed: Seed of the run.
        epoch: Number of the epoch.
        samples: Row numbers in the run's samples, shape (N,), int64.
        index: Which number of the sample, shape (N, ...) or (1, ...), int64, at least 0, device of `samples`.
        stream: Number of what they are for.

    Returns:
        Multiples of 2**-24 in [0, 1), shape (N, ...), float32.
    """
    states = hashes(seed, epoch, samples, stream=stream)
    states = states.view(-1, *[1] * (index.ndim - 1))
    mixed = _mix(states + (index + 1) * _signed(_GOLDEN))
    return _shift(mixed, 64 - _MANTISSA).to(torch.float32) * 2.0**-_MANTISSA


def hashes(seed: int, epoch: int, samples: Tensor, *, stream: int) -> Tensor:
    """One hash for each sample, shape (N,), any int64."""
    key = 0
    for part in (seed, epoch, stream):
        key = _mix_int(key + _GOLDEN + part)
    return _mix(samples * _signed(_GOLDEN) + _signed(key))


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _signed(_FIRST)
    x = (x ^ _shift(x, 27)) * _signed(_SECOND)
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical shift to the right; that of int64 would repeat the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _mix_int(x: int) -> int:
    x &= _BITS
    x = ((x ^ (x >> 30)) * _FIRST) & _BITS
    x = ((x ^ (x >> 27)) * _SECOND) & _BITS
    return x ^ (x >> 31)


def _signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x
