"""Where the state of a dataset lies."""

from pathlib import Path

from mia_tui.paths import find_state, typed_dataset


def test_state_lies_in_the_dataset_or_beside_it_where_that_name_is_taken(tmp_path: Path) -> None:
    dataset = tmp_path / "cells"
    dataset.mkdir()
    assert find_state(dataset).root == dataset / "mia"
    assert find_state(dataset, class_folders=True).root == tmp_path / "cells.mia"
    (dataset / "mia").mkdir()
    assert find_state(dataset).root == tmp_path / "cells.mia"
    (dataset / "mia" / "labels.db").touch()
    assert find_state(dataset).root == dataset / "mia"


def test_a_command_in_a_sentence_names_the_state_folder_where_it_is_not_the_datasets_own(
    tmp_path: Path,
) -> None:
    dataset, elsewhere = tmp_path / "my cells", tmp_path / "state"
    assert typed_dataset(dataset, None) == f"'{dataset}'"
    assert (
        typed_dataset(dataset, dataset / "mia")
        == typed_dataset(dataset, tmp_path / "my cells.mia")
        == f"'{dataset}'"
    )
    assert typed_dataset(dataset, elsewhere) == f"'{dataset}' --state {elsewhere}"


def test_a_whole_disk_can_be_a_dataset() -> None:
    assert find_state(Path("/"), class_folders=True).root.parent == Path("/")
