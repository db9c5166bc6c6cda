"""Whether a repetition of a training has the same weights, and else how far its figures differ."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_tui.catalog.metrics import metric_words
from mia_tui.decoding import BadRecord
from mia_tui.errors import RunError
from mia_tui.runs.record.fingerprint import data_fingerprint
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import tensors_digest
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.runs.rerun.machine import differences_between
from mia_tui.text import encode_name, join_names, printable, shorten

_Figures = tuple[dict[str, float], dict[str, float] | None]


@dataclass(frozen=True)
class RerunOutcome:
    """What came of a repetition.

    Attributes:
        original: The run that was repeated.
        weights_equal: Whether the best weights are the same to the bit; None where that is not known.
        digest: BLAKE2b of the repetition's tensors; empty without weights.
        data_equal: Whether the data fingerprints are the same; None where one is not known.
        differs_from: The first epoch whose figures differ; None for none.
        best: The decisive metric of the best epochs: name, before, now; None where one has none.
        machine: What differs between the machines.
        why_unknown: Why the weights cannot be compared; empty if they can.
    """

    original: RunDir
    weights_equal: bool | None
    digest: str = ""
    data_equal: bool | None = None
    differs_from: int | None = None
    best: tuple[str, float, float] | None = None
    machine: tuple[str, ...] = ()
    why_unknown: str = ""

    @property
    def sentence(self) -> str:
        """All of it, for people."""
        name = printable(self.original.name)
        if self.weights_equal:
            return f"The weights are those of {name} to the bit (digest {self.digest[:12]})."
        said = [
            f"The weights are not those of {name} to the bit"
            if self.weights_equal is False
            else f"Whether the weights are those of {name} is not known: {self.why_unknown}"
        ]
        if self.differs_from is not None:
            said.append(f"figures differ from epoch {self.differs_from} on")
        elif self.weights_equal is False:
            said.append("all figures of all epochs are the same")
        if self.best is not None:
            metric, before, now = self.best
            said.append(f"best {metric} {shorten(now)} instead of {shorten(before)} ({now - before:+.2g})")
        text = "; ".join(said) + "."
        reasons = [*(["other images"] if self.data_equal is False else []), *self.machine]
        if self.weights_equal is False:
            if self.data_equal is None:
                text += " Whether the images are the same is not known."
            if reasons:
                text += f" What differs: {join_names(reasons)}."
            else:
                same = "Images, versions" if self.data_equal else "Versions"
                text += (
                    f" {same}, processor and threads are the same as far as they are known; "
                    "--deterministic helps on a GPU."
                )
        return text


def rerun_outcome(run: RunDir) -> RerunOutcome | None:
    """Compare a repetition with the run that it repeats; None if it repeats none. Reads both files of weights.

    Raises:
        RunError: If the repetition cannot be read.
    """
    place = run.job().rerun_of
    if place is None:
        return None
    original = RunDir(Path(place))
    if not original.exists():
        return RerunOutcome(original, None, why_unknown="that run is not there any more")
    before, now = read_state(original), read_state(run)
    equal, digest, why = _compare_weights(original, run)
    machine: tuple[str, ...] = ()
    if before.started is not None and now.started is not None:
        machine = tuple(differences_between(before.started, now.started))
    return RerunOutcome(
        original,
        equal,
        digest,
        _compare_data(original, run),
        _first_difference(before, now),
        _best(before, now),
        machine,
        why,
    )


def _compare_weights(original: RunDir, run: RunDir) -> tuple[bool | None, str, str]:
    """Whether they are equal, the digest of the repetition's, and why that is not known."""
    digests = []
    for each in (run, original):
        try:
            digests.append(tensors_digest(each.best_weights))
        except FileNotFoundError:
            which = "it" if each is original else "the repetition"
            return None, "".join(digests), f"{which} has no weights"
        except (OSError, BadRecord) as error:
            return (
                None,
                "".join(digests),
                f"{printable(each.best_weights)} cannot be read ({printable(error)})",
            )
    return digests[0] == digests[1], digests[0], ""


def _compare_data(original: RunDir, run: RunDir) -> bool | None:
    try:
        before, now = data_fingerprint(original), data_fingerprint(run)
    except RunError:
        return None
    return None if before is None or now is None else before.digest == now.digest


def _first_difference(before: RunState, now: RunState) -> int | None:
    known = {row.epoch: (row.train, row.val) for row in before.epochs}
    for row in now.epochs:
        if row.epoch in known and not _same(known[row.epoch], (row.train, row.val)):
            return row.epoch
    return None


def _same(one: _Figures, other: _Figures) -> bool:
    """Whether the figures of an epoch are equal; NaN equals NaN."""
    return all(
        (left or {}).keys() == (right or {}).keys()
        and all(_equal(value, (right or {})[name]) for name, value in (left or {}).items())
        for left, right in zip(one, other, strict=True)
    )


def _equal(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _best(before: RunState, now: RunState) -> tuple[str, float, float] | None:
    if before.best_value is None or now.best_value is None or before.metric != now.metric:
        return None
    return metric_words(now.metric), before.best_value, now.best_value


def rerun_record(outcome: RerunOutcome) -> dict[str, Any]:
    """What came of a repetition, as a record for --json."""
    best = outcome.best
    return {
        "rerun_of": encode_name(str(outcome.original.path)),
        "weights_equal": outcome.weights_equal,
        "weights_digest": outcome.digest or None,
        "data_equal": outcome.data_equal,
        "differs_from_epoch": outcome.differs_from,
        "best": None if best is None else {"metric": best[0], "before": best[1], "now": best[2]},
        "machine": list(outcome.machine),
    }
