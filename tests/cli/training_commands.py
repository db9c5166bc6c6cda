"""Small trainings by the command line."""

from pathlib import Path

from cli_support import Answer, Mia

from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import kind_of, list_runs
from mia_tui.runs.record.layout import RunDir

QUICK = ("--size", 32, "--batch-size", 8, "--epochs", 1, "--threads", 1, "--precision", "fp32")


def train(mia: Mia, dataset: Path, *more: object, backbone: str = "timm:test_resnet") -> Answer:
    """Train for an epoch; later options of the same name are not allowed, so `more` are others."""
    options = [option for option in _pairs(QUICK) if option[0] not in more]
    return mia("train", dataset, "--backbone", backbone, *(word for pair in options for word in pair), *more)


def _pairs(words: tuple[object, ...]) -> list[tuple[object, object]]:
    return list(zip(words[::2], words[1::2], strict=True))


def runs_of(dataset: Path, kind: str = "train") -> list[RunDir]:
    """Trainings, or runs of another kind, of a dataset whose state lies beside it."""
    runs = list_runs(StateFolder(dataset.with_name(f"{dataset.name}.mia")))
    return [run for run in runs if kind_of(run) == kind]


def predictions_of(dataset: Path) -> list[RunDir]:
    return runs_of(dataset, "predict")


def assert_refused(answer: Answer, code: int, *words: str) -> None:
    """One line on stderr with these words in it, and warnings above it at most."""
    assert answer.code == code, answer.err
    lines = [line for line in answer.err.splitlines() if not line.startswith("Warning: ")]
    assert len(lines) == 1, answer.err
    assert lines[0].endswith((".", "?", "`")), lines[0]
    assert "Traceback" not in answer.err and "Error" not in lines[0]
    for word in words:
        assert word in lines[0]
