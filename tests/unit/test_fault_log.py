"""Why an image cannot be read stands in the log of a run, and nowhere else."""

import logging
from pathlib import Path

import pytest
from PIL import Image

from mia_tui.dataset.images.decode import decode
from mia_tui.errors import DecodeError
from mia_tui.runs.worker.fault_log import faults_written


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    return path


def test_each_damaged_file_is_told_once_with_its_traceback(damaged: Path) -> None:
    texts: list[str] = []
    with faults_written(texts.append):
        for _ in range(3):
            with pytest.raises(DecodeError, match="cut short or damaged"):
                decode(damaged)
    [text] = texts
    assert text.startswith(str(damaged)) and "Traceback" in text and "truncated" in text


def test_without_a_run_nothing_is_told(damaged: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with faults_written(lambda _: None):
        pass
    with pytest.raises(DecodeError):
        decode(damaged)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("mia_tui.images").handlers == []
