"""The end of a prediction: its rows become the file that was asked for, or suggestions for the app."""

import time
from pathlib import Path

from mia_tui.files import remove
from mia_tui.runs.prediction.predictions import PredictionHeader, convert
from mia_tui.runs.prediction.suggestions import write_suggestions
from mia_tui.runs.record.events import ResultSaved
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted, encode_name, printable


def write_result(run: RunDir, header: PredictionHeader, other_kinds: dict[str, int]) -> ResultSaved:
    """Write the result of a prediction whose rows are complete, and remove the rows.

    Args:
        run: The prediction.
        header: Of its rows.
        other_kinds: Files of other kinds that lay among the images, by ending.

    Raises:
        DataError: If no image could be read; nothing is written.
        RunError: If the disk does not take it; the rows stay.
    """
    out = run.predict_job().config.out
    if out is None:
        file, what = str(run.suggestions.relative_to(run.path)), "suggestion"
        summary = convert(run.rows, run.suggestions, header, write_suggestions, root=run.root)
    else:
        file, what = encode_name(out), "prediction"
        summary = convert(run.rows, Path(out), header)
    remove(run.rows, root=run.root)
    where = "" if out is None else f" in {printable(out)}"
    return ResultSaved(
        t=time.time(),
        sentence=f"{counted(summary.by_class.total(), what)}{where}.",
        file=file,
        counts=dict(summary.by_class.most_common()),
        problem_count=summary.problem_count,
        problems=summary.problems,
        other_kinds=other_kinds,
    )
