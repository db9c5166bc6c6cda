"""What benchmarks share: photos, real microscope images, and lines that are printed past pytest's capture."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from photo_support import make_photos


@pytest.fixture(autouse=True)
def as_many_threads_as_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.delenv("OMP_WAIT_POLICY")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_photos(tmp_path_factory.mktemp("photos"), 24)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Lines put here are printed after the test, past pytest's capture."""
    lines: list[str] = []
    yield lines
    with capsys.disabled():
        print("", *lines, sep="\n")


@pytest.fixture(scope="module")
def cells() -> Path:
    folder = os.environ.get("MIA_BLOOD_CELLS")
    if folder is None:
        pytest.fail("Set MIA_BLOOD_CELLS to a folder with train/ and test/, each with a labels.csv.")
    return Path(folder).resolve()
