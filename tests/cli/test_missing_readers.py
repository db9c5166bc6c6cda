"""Files of microscopes where the packages that read them are not installed."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.config.check import make_config
from mia_tui.dataset.images import readers
from mia_tui.dataset.images.formats import FORMATS
from mia_tui.dataset.images.reading import count_frames
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DecodeError
from mia_tui.runs.preflight.images import CheckedFiles, CheckProgress, bad_images, check_images
from mia_tui.runs.record.job import Sample

OF_EXTRA = [one for one in FORMATS if one.package and not one.is_folder]
SUFFIXES = [(one, suffix) for one in OF_EXTRA for suffix in one.suffixes]


@pytest.fixture(autouse=True)
def no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the packages can be imported, and no reader was before."""
    for one in OF_EXTRA:
        monkeypatch.setitem(sys.modules, one.package, None)
        monkeypatch.delitem(sys.modules, f"{readers.__name__}.{one.module}", raising=False)
        monkeypatch.delattr(readers, one.module, raising=False)


def sentence(name: str, kind: str) -> str:
    return f"{name} is {kind}, which needs a reader of its own. Install it: pip install 'mia-tui[microscopy]'"


@pytest.mark.parametrize(("one", "suffix"), SUFFIXES, ids=[suffix for _, suffix in SUFFIXES])
def test_such_a_file_is_an_image_of_the_dataset_and_says_what_to_install(tmp_path, one, suffix):
    Image.new("RGB", (5, 4), "red").save(tmp_path / "a.png")
    path = tmp_path / f"x{suffix.upper()}"
    path.write_bytes(b"anything")
    assert [file.path for file in scan(tmp_path).files] == ["a.png", path.name]
    with pytest.raises(DecodeError) as raised:
        count_frames(path)
    assert str(raised.value) == sentence(path.name, one.name)
    with pytest.raises(ImportError):
        import_module(f"{readers.__name__}.{one.module}")


def test_show_says_what_to_install(tmp_path, mia: Mia):
    (tmp_path / "x.czi").write_bytes(b"anything")
    answer = mia("show", tmp_path / "x.czi")
    assert (answer.code, answer.err) == (3, f"{sentence('x.czi', 'CZI (Zeiss)')}\n")


def checked(root: Path, samples: list[Sample]) -> str:
    progress = CheckProgress(float("inf"), lambda done, total: None, lambda: False)
    faults, _ = check_images(CheckedFiles(root, samples), samples, make_config(), progress)
    return " ".join(finding.message for finding in bad_images(samples, faults))


def test_the_check_before_a_training_says_what_to_install_and_forgets_it_once_that_is_done(
    tmp_path, monkeypatch
):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.nd2").write_bytes(b"anything")
    samples = [Sample("a/x.nd2", 0, "train")]
    for _ in range(2):
        assert checked(tmp_path, samples) == f"1 image cannot be read: {sentence('a/x.nd2', 'ND2 (Nikon)')}."
    monkeypatch.delitem(sys.modules, "nd2")
    pytest.importorskip("nd2", reason="needs mia-tui[microscopy]")
    assert "not an image" in checked(tmp_path, samples)
