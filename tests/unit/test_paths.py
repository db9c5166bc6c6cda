"""Where the state of a dataset lies."""

from pathlib import Path

from mia_tui.paths import find_state


def test_state_lies_in_the_dataset_or_beside_it_where_that_name_is_taken(tmp_path: Path) -> None:
    dataset = tmp_path / "cells"
    dataset.mkdir()
    assert find_state(dataset).root == dataset / "mia"
    assert find_state(dataset, class_folders=True).root == tmp_path / "cells.mia"
    (dataset / "mia").mkdir()
    assert find_state(dataset).root == tmp_path / "cells.mia"
    (dataset / "mia" / "labels.db").touch()
    assert find_state(dataset).root == dataset / "mia"


def test_a_whole_disk_can_be_a_dataset() -> None:
    assert find_state(Path("/"), class_folders=True).root.parent == Path("/")
