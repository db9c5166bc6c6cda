"""What every test has: user folders of its own, and a small set of images of two classes."""

import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from disc_support import make_discs
from memory import return_large_pieces

# Before torch is imported: its threads wait for each other by spinning, which beside other programs costs more than
# ten times the processor time (to build, train and load densenet121: 7.8 s with two threads, 0.5 s with one). And a
# run that is given no number of threads takes what is free; here always one, and says nothing about it.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "passive"  # where a test asks for two threads: they sleep while they wait

# Compiled modules are kept, whatever the machine says: else every process that a test starts compiles the program.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

return_large_pieces()

_HOMES = ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "TORCH_HOME")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """All that the tests import is no garbage: it is not looked through, neither meanwhile nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every process of xdist begins with its share of the long tests: in the end the others would wait for them."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("e2e")]
    short = [item for item in items if not item.get_closest_marker("e2e")]
    items[:] = [
        item
        for number in range(processes)
        for some in (long, short)
        for item in some[len(some) * number // processes : len(some) * (number + 1) // processes]
    ]


def _use_folders_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    for name in _HOMES:
        monkeypatch.setenv(name, str(home / name.lower()))


@pytest.fixture(autouse=True, scope="session")
def folders_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the machine's user is read or written by what several tests share."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _use_folders_of(tmp_path_factory.mktemp("home"), monkeypatch)
        yield


@pytest.fixture(autouse=True)
def user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's user is read or written, nor of another test."""
    _use_folders_of(tmp_path_factory.mktemp("home"), monkeypatch)


@pytest.fixture
def threads_stay_as_they_were() -> Iterator[None]:
    """What a run in this process sets is taken back."""
    import torch  # most tests do without

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """A dataset of 24 red and 12 blue discs in class folders, 40 pixels wide."""
    return make_discs(tmp_path / "discs")
