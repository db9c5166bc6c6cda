"""Tests here are chosen with `-m gpu`; then a missing GPU is a failure and no reason to skip."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def a_gpu_is_here() -> Iterator[None]:
    """Fail where there is none; leave torch as it was."""
    if not torch.cuda.is_available():
        pytest.fail("These tests need an NVIDIA GPU, and torch finds none here: leave out `-m gpu`.")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.cuda.empty_cache()
