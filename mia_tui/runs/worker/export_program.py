"""`mia-tui export` as a process of its own, for the app, which never imports torch.

The process is in a session of its own and goes on when the app is closed: the folder then appears nevertheless.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mia_tui.catalog.model_formats import ModelFormatName
from mia_tui.decoding import BadRecord, decode_json
from mia_tui.errors import RunError
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.launch import give_way, program_environment
from mia_tui.text import counted, printable

_LONGEST_REASON = 2000


@dataclass(frozen=True)
class ExportAsked:
    """What to export.

    Attributes:
        format: Into which format.
        out: The folder to make; absolute.
        quantise: Whether to make a file with weights of 8 bits as well.
        overwrite: Whether an earlier export there is replaced.
    """

    format: ModelFormatName
    out: Path
    quantise: bool = False
    overwrite: bool = False


class _Int8Record(msgspec.Struct):
    compared: int
    same_class: int


class _ExportRecord(msgspec.Struct):
    """What the process prints with --json."""

    compared: int
    same_class: int
    largest_difference: float
    left_out: str | None
    int8: _Int8Record | None


def export_in_process(run: RunDir, asked: ExportAsked, *, dataset: Path) -> str:
    """Export the network of a run and wait for it, in a thread; returns what became of it, in sentences.

    Args:
        run: The training.
        asked: What to export.
        dataset: Where the images of the run are now.

    Raises:
        RunError: If it failed; says why.
    """
    words = ["export", str(run.path), "--format", asked.format, "--out", str(asked.out), "--json"]
    words += ["--dataset", str(dataset)]
    words += ["--quantize", "int8"] * asked.quantise + ["--overwrite"] * asked.overwrite
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mia_tui", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=program_environment(),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise RunError(f"The export could not be started: {error.strerror}.") from error
    give_way(process.pid)
    said, reason = process.communicate()
    try:
        if process.returncode:
            raise BadRecord("it failed")
        record = decode_json(said.splitlines()[-1], _ExportRecord)
    except (BadRecord, IndexError) as error:
        lines = reason.decode(errors="replace").strip().splitlines()
        why = printable(lines[-1][-_LONGEST_REASON:]) if lines else "It ended without a word."
        raise RunError(why) from error
    return _words(record, asked)


def _words(record: _ExportRecord, asked: ExportAsked) -> str:
    same = "all" if record.same_class == record.compared else f"{record.same_class:,}"
    words = (
        f"Exported to {printable(asked.out)}. On {counted(record.compared, 'image')} it says what the network says: "
        f"the same class on {same}, the largest difference of a probability is {record.largest_difference:.1e}."
    )
    if record.int8 is not None:
        words += (
            f" With 8 bits the class is the same on {record.int8.same_class:,} of "
            f"{counted(record.int8.compared, 'image')}."
        )
    return f"{words} {record.left_out}" if record.left_out else words
