"""A run that others are compared with, and memory that is given back."""

import gc
from collections.abc import Iterator

import pytest
import torch
from disc_support import make_discs
from training_support import make_run, train

from mia_tui.runs.record.layout import RunDir


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """A run on the images of `discs` that nothing broke off; it is looked at, and nothing else."""
    run = make_run(make_discs(tmp_path_factory.mktemp("unbroken") / "discs"))
    threads = torch.get_num_threads()
    result, _ = train(run)
    torch.set_num_threads(threads)
    assert result.outcome == "finished"
    return run


@pytest.fixture
def networks_are_let_go() -> Iterator[None]:
    """An exception that a test caught keeps its frame, which keeps the exception and all networks there."""
    yield
    gc.collect()
