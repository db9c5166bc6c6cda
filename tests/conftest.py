"""What every test has: user folders of its own, and a small set of images of two classes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from disc_support import draw_disc

# Before torch is imported: its threads wait for each other by spinning, which beside other programs costs more than
# ten times the processor time (to build, train and load densenet121: 7.8 s with two threads, 0.5 s with one). And a
# run that is given no number of threads takes what is free; here always one, and says nothing about it.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(autouse=True)
def user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's user is read or written."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "HF_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))


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
    root = tmp_path / "discs"
    for index in range(24):
        draw_disc(root / "red", f"cell-{index}.png", size_px=40, red=True, seed=index)
    for index in range(12):
        draw_disc(root / "blue", f"cell-{index}.png", size_px=40, red=False, seed=100 + index)
    return root
