from pathlib import Path

from run_support import on_small_disk


def test_a_checkpoint_that_finds_no_room_is_one_sentence_and_the_old_one_stays(tmp_path: Path) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        """
        from pathlib import Path
        import torch
        from mia_tui.errors import RunError
        from mia_tui.runs.disk import replacing
        path = Path(sys.argv[1]) / "last.pt"
        with replacing(path) as file:
            torch.save(torch.zeros(10), file)
        try:
            with replacing(path) as file:
                torch.save(torch.zeros(2_000_000), file)
        except RunError as error:
            print(error)
        print(len(torch.load(path, weights_only=True)), len(list(path.parent.iterdir())))
        """,
        tmp_path / "disk",
    )
    assert said.startswith("The disk that holds ")
    assert said.endswith("10 1")
