"""A label format is one record: --format, its help and the recognition of files follow from it."""

from pathlib import Path

import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.dataset.interchange import formats
from mia_tui.dataset.interchange.formats import (
    ExportContent,
    ExportResult,
    ImportSource,
    LabelFile,
    LabelFormat,
)
from mia_tui.dataset.model import ImageKey


def read_lines(source: ImportSource) -> LabelFile:
    assert source.file is not None
    rows = [line.split(" = ") for line in source.file.read_text().splitlines()]
    return LabelFile(name=source.file.name, labels={ImageKey(path): name for path, name in rows})


def write_lines(content: ExportContent) -> ExportResult:
    assert isinstance(content.target, Path)
    lines = [f"{key.path} = {content.classes[index]}\n" for key, index in content.labels.items()]
    content.target.write_text("".join(lines))
    return ExportResult(f"{len(lines)} lines written.", warnings=("Lines have no frames.",))


@pytest.fixture(autouse=True)
def lines_format(monkeypatch: pytest.MonkeyPatch) -> LabelFormat:
    monkeypatch.setattr(formats, "_formats", dict(formats._formats))
    lines = LabelFormat(
        "lines",
        read_lines,
        write_lines,
        import_help="FILE (one line an image)",
        export_help="one line an image, to FILE",
        suffixes=(".lines",),
        options=frozenset({"--overwrite"}),
    )
    formats.register(lines)
    return lines


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    root = tmp_path / "cells"
    root.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8)).save(root / name)
    return root


def test_help_names_a_new_format_and_what_it_reads_and_writes(mia: Mia) -> None:
    for command, names, says in (
        (
            "import",
            "csv|jsonl|folders|mia|mia-csv|label-studio|cvat|fiftyone|labels.db|lines",
            "FILE (one line an image)",
        ),
        ("export", "csv|folders|mia|mia-csv|label-studio|cvat|fiftyone|lines", "one line an image, to FILE"),
    ):
        text = " ".join(mia("labels", command, "--help").out.split())
        assert f"[{names}]" in text.replace("- ", "-").replace("| ", "|") and f"lines: {says}." in text


@pytest.mark.parametrize("words", [[], ["--format", "lines"], ["--format", "LINES"]])
def test_labels_go_in_and_out_in_a_new_format_by_its_name_or_by_the_ending(
    mia: Mia, cells: Path, tmp_path: Path, words: list[str]
) -> None:
    file, out = tmp_path / "labels.lines", tmp_path / "again.lines"
    file.write_text("a.png = round\nb.png = long\n")
    assert mia("labels", "import", cells, file, *words).code == 0
    done = mia("labels", "export", cells, out, *words)
    assert (done.code, done.out, done.err) == (0, "2 lines written.\n", "Warning: Lines have no frames.\n")
    assert out.read_text() == file.read_text()
    refused = mia("labels", "export", cells, out, *words)
    assert refused.code == 3 and "Pass --overwrite to replace it" in refused.err
    assert mia("labels", "export", cells, out, *words, "--overwrite").code == 0


def test_options_that_a_new_format_has_no_use_for_are_refused(mia: Mia, cells: Path, tmp_path: Path) -> None:
    refused = mia("labels", "export", cells, tmp_path / "x", "--format", "lines", "--parts")
    assert (refused.code, refused.err) == (2, "--parts is for --format folders. Leave it out.\n")
    accepted = mia("labels", "export", cells, tmp_path / "x", "--format", "folders", "--overwrite")
    assert accepted.err.startswith("--overwrite is for --format csv, mia, mia-csv, label-studio, ")
    assert accepted.err.endswith(" or lines. Leave it out.\n")
    no_file = mia("labels", "import", cells, "--format", "lines")
    assert no_file.err.startswith("--format lines needs a file.")


def test_a_format_that_can_only_be_exported_is_no_choice_for_an_import(mia: Mia, cells: Path) -> None:
    formats.register(LabelFormat("figure", write=write_lines, export_help="a figure"))
    assert "figure" not in mia("labels", "import", "--help").out
    assert "figure: a figure." in " ".join(mia("labels", "export", "--help").out.split())
    assert mia("labels", "import", cells, "--format", "figure").code == 2


def test_two_formats_of_one_name_are_a_fault_of_the_program(lines_format: LabelFormat) -> None:
    with pytest.raises(ValueError, match="there is a label format lines already"):
        formats.register(lines_format)
