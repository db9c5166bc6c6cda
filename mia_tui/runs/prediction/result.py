"""The end of a prediction: its rows become the file or the part that was asked for, or suggestions for the app."""

import time
from pathlib import Path

from mia_tui.files import remove
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionSummary, convert
from mia_tui.runs.prediction.shards import ShardHeader, shard_file, write_shard
from mia_tui.runs.prediction.suggestions import write_suggestions
from mia_tui.runs.record.events import ResultSaved
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted, encode_name, printable, typed


def write_result(
    run: RunDir, header: PredictionHeader, *, total: int, other_kinds: dict[str, int]
) -> ResultSaved:
    """Write the result of a prediction whose rows are complete, and remove the rows.

    Args:
        run: The prediction.
        header: Of its rows.
        total: Images of the prediction, in all of its parts.
        other_kinds: Files of other kinds that lay among the images, by ending.

    Raises:
        DataError: If no image could be read; nothing is written.
        RunError: If the disk does not take it; the rows stay.
    """
    config = run.predict_job().config
    if config.out is None:
        file = str(run.suggestions.relative_to(run.path))
        summary = convert(run.rows, run.suggestions, header, write_suggestions, root=run.root)
        sentence = f"{_count(summary, 'suggestion')}."
    elif config.shard is None:
        file = encode_name(config.out)
        summary = convert(run.rows, Path(config.out), header)
        sentence = f"{_count(summary, 'prediction')} in {printable(config.out)}."
    else:
        number, of = config.shard
        part = ShardHeader(header, number, of, config.batch_size, total)
        summary = write_shard(run.rows, Path(config.out), part)
        file = encode_name(str(shard_file(Path(config.out), config.shard)))
        join = f"when all {of} are there, `mia-tui predict --join {typed(config.out)}` joins them"
        sentence = f"{_count(summary, 'prediction')}, part {number} of {of}; {join}."
    remove(run.rows, root=run.root)
    return ResultSaved(
        t=time.time(),
        sentence=sentence,
        file=file,
        counts=dict(summary.by_class.most_common()),
        problem_count=summary.problem_count,
        problems=summary.problems,
        other_kinds=other_kinds,
    )


def _count(summary: PredictionSummary, what: str) -> str:
    return counted(summary.by_class.total(), what)
