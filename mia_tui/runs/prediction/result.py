"""The end of a prediction: its rows become the file or the part that was asked for, or suggestions for the app."""

import time
from pathlib import Path

import msgspec

from mia_tui.files import remove_leftovers
from mia_tui.runs.disk import replacing
from mia_tui.runs.prediction.listing import PredictionListing
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionSummary, convert
from mia_tui.runs.prediction.probabilities import keep_probabilities
from mia_tui.runs.prediction.shards import ShardHeader, ShardSettings, result_file, write_shard
from mia_tui.runs.prediction.suggestions import write_suggestions
from mia_tui.runs.record.events import ResultSaved
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import counted, encode_name, printable, typed


def write_result(
    run: RunDir,
    header: PredictionHeader,
    listing: PredictionListing,
    *,
    shard: ShardSettings | None,
    other_kinds: dict[str, int],
    remark: str = "",
) -> ResultSaved:
    """Write the result of a prediction whose rows are complete.

    Args:
        run: The prediction.
        header: Of its rows.
        listing: Its images.
        shard: Of a part, what it has in common with the others.
        other_kinds: Files of other kinds that lay among the images, by ending.
        remark: What makes the predictions less certain, a sentence.

    Raises:
        DataError: If no image could be read, or the rows are damaged; nothing is written.
        RunError: If the disk does not take it.
    """
    config, count = run.predict_job().config, listing.count
    place = result_file(config) or run.suggestions
    leftovers = {place.name, run.probabilities.name} if config.out is None else {place.name}
    remove_leftovers(place.parent, of=leftovers.__contains__)  # of an attempt that was killed here
    if config.out is None:
        file = str(run.suggestions.relative_to(run.path))
        with replacing(run.probabilities, root=run.root) as kept:
            summary = convert(
                run.rows,
                run.suggestions,
                header,
                lambda file, header, rows: write_suggestions(
                    file, header, keep_probabilities(kept, header, rows)
                ),
                count=count,
                root=run.root,
            )
        sentence = f"{_count(summary, 'suggestion')}."
    elif config.shard is None or shard is None:
        file = encode_name(config.out)
        summary = convert(run.rows, Path(config.out), header, count=count)
        sentence = f"{_count(summary, 'prediction')} in {printable(config.out)}."
    else:
        number, of = config.shard
        part = ShardHeader(
            **msgspec.structs.asdict(shard), shard=number, total=listing.total, images=listing.digest
        )
        summary = write_shard(run.rows, Path(config.out), part)
        file = encode_name(str(place))
        join = f"when all {of} are there, `mia-tui predict --join {typed(config.out)}` joins them"
        sentence = f"{_count(summary, 'prediction')}, part {number} of {of}; {join}."
    return ResultSaved(
        t=time.time(),
        sentence=sentence,
        file=file,
        counts=dict(summary.by_class.most_common()),
        unsure=summary.unsure,
        problem_count=summary.problem_count,
        problems=summary.problems,
        other_kinds=other_kinds,
        remark=remark,
    )


def _count(summary: PredictionSummary, what: str) -> str:
    unsure = f", {summary.unsure:,} of them unsure" if summary.unsure else ""
    return counted(summary.predicted, what) + unsure
