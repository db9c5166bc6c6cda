"""The states of runs in words, the same on the command line and in the app."""

from mia_tui.catalog.metrics import metric_words, shown_metric
from mia_tui.runs.record.events import EpochEnded, StartTimed, TimeUsed
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import LeftOutEpochs, RunState
from mia_tui.runs.record.time_use import shares_words
from mia_tui.runs.worker.liveness import ShownStatus, Status
from mia_tui.text import NAMED, counted, decode_name, duration, fault_of, name_some, printable, typed

STATUS_WORDS: dict[ShownStatus, str] = {
    "created": "never started",
    "starting": "starting",
    "waiting": "waiting",
    "running": "running",
    "lost": "lost: its worker died",
    "unknown": "unknown: its worker is on another host and silent",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
}

RESUMABLE: frozenset[ShownStatus] = frozenset({"created", "lost", "stopped", "failed"})

_MOST_SENTENCES = 5

_RESUMING: dict[ShownStatus, str] = {
    "created": "starts it",
    "lost": "continues it",
    "stopped": "continues it",
}


def shown_status(status: Status, state: RunState) -> ShownStatus:
    """A status as it is shown: a worker that waits for another run or for a disk is `waiting`."""
    is_waiting = status == "running" and state.phase == "waiting" and state.outcome is None
    return "waiting" if is_waiting else status


def status_sentence(run: RunDir, status: ShownStatus) -> str:
    """The status of a run in words, with the command that resumes it if it can be resumed."""
    resuming = _RESUMING.get(status)
    if resuming is None:
        return STATUS_WORDS[status]
    return f"{STATUS_WORDS[status]}; `mia-tui runs resume {typed(run.path)}` {resuming}"


def best_words(state: RunState) -> str:
    """`macro F1 0.9512, chosen by loss`: the figure of the best epoch, and what decided if that is another one."""
    if state.best_value is None:
        return ""
    shown = shown_metric(state.metric)
    chosen = "" if shown == state.metric else f", chosen by {metric_words(state.metric)}"
    return f"{metric_words(shown)} {state.best_value:.4f}{chosen}"


def start_words(start: StartTimed) -> str:
    """`4.1 s to the first step: settings 0.5 s, libraries 2.4 s, images 0.6 s, network 0.2 s, first step 0.4 s`."""
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in start.parts.items())
    return f"{start.total_s:.1f} s to the first step" + (f": {parts}" if parts else "")


def time_used_words(used: TimeUsed) -> str:
    """What the time of a training went into, from the beginning of its process, and its bottleneck."""
    shares = shares_words(used.seconds)
    words = shares and f"of {duration(sum(used.seconds.values()))} with the start: {shares}"
    return " ".join(part for part in (words and f"{words}.", printable(used.sentence)) if part)


def left_out_sentences(state: RunState) -> list[str]:
    """Which images were left out of which epochs, a sentence for epochs in a row; only the last ones of many."""
    all_left_out = state.left_out
    said = [_left_out_sentence(item) for item in all_left_out[-_MOST_SENTENCES:]]
    hidden = len(all_left_out) - len(said)
    earlier = (
        f"Images were left out {counted(hidden, 'time')} before that, too; `runs show --json` names them."
    )
    return [*([earlier] if hidden else []), *said]


def evaluated_images(row: EpochEnded) -> str:
    """`val 5/8`: how many images the metrics of an epoch are from, if some could not be read; else empty."""
    left_out = row.left_out
    if left_out is None:
        return ""
    if left_out.val or not left_out.train:
        return f"val {left_out.of_val - left_out.val:,}/{left_out.of_val:,}"
    return f"train {left_out.of_train - left_out.train:,}/{left_out.of_train:,}"


def evaluated_in_epoch(state: RunState, epoch: int) -> str:
    """How an epoch was evaluated if not as usual, to follow the part that it was evaluated on.

    Such as ` (5 of 8 images; mean of 8 flips and turns of each; weights averaged over 3 epochs)`.
    """
    row = next((row for row in state.epochs if row.epoch == epoch), None)
    if row is None:
        return ""
    words, left_out = [], row.left_out
    if left_out is not None:
        out, of = (left_out.val, left_out.of_val) if left_out.of_val else (left_out.train, left_out.of_train)
        if out:
            words.append(f"{of - out:,} of {of:,} images")
    if row.views > 1:
        words.append(f"mean of {row.views} flips and turns of each")
    if row.averaged > 1:
        words.append(f"weights averaged over {row.averaged:,} epochs")
    return f" ({'; '.join(words)})" if words else ""


def _left_out_sentence(left_out: LeftOutEpochs) -> str:
    images = left_out.images
    epochs = (
        f"epoch {left_out.first}"
        if left_out.first == left_out.last
        else f"epochs {left_out.first}-{left_out.last}"
    )
    parts = [
        f"{count:,} of {of:,} to {what}"
        for count, of, what in (
            (images.train, images.of_train, "train on"),
            (images.val, images.of_val, "validate"),
        )
        if count
    ]
    names = [decode_name(name) for name in images.images]
    more = images.count - len(names[:NAMED])
    reason = next(iter(images.images.values()), "").rstrip(".")
    if images.count == 1 and names:
        which = fault_of(names[0], reason)
    else:
        named = name_some(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
        which = f"{named}; {printable(reason)}"
    were = counted(images.count, "image was", "images were")
    return f"{were} left out of {epochs} ({', '.join(parts)}): {which}."
