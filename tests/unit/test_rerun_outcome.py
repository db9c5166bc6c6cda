"""What is said of a repetition whose weights are others."""

from pathlib import Path

import pytest

from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.rerun.outcome import RerunOutcome


@pytest.mark.parametrize(
    ("data_equal", "said", "not_said"),
    [
        (True, "Images, versions, processor and threads are the same", "not known."),
        (None, "Whether the images are the same is not known. Versions, processor", "Images, versions"),
        (False, "What differs: other images.", "the same as far"),
    ],
)
def test_images_are_only_called_the_same_where_that_is_known(
    data_equal: bool | None, said: str, not_said: str
) -> None:
    sentence = RerunOutcome(RunDir(Path("a-run")), False, "abc", data_equal, differs_from=1).sentence
    assert said in sentence and not_said not in sentence
