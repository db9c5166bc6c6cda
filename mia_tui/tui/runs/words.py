"""The sentences of the screen of a run: its first lines, and the pages of settings and messages; no widgets."""

from collections.abc import Iterable

import msgspec

from mia_tui.catalog.metrics import shown_metric
from mia_tui.config.fields import show_value
from mia_tui.config.train import TrainConfig
from mia_tui.runs.list.words import STATUS_WORDS, left_out_sentences
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.state import RunState
from mia_tui.runs.record.time_left import RunProgress, run_progress
from mia_tui.runs.worker.liveness import LIVE
from mia_tui.text import counted, duration, printable, shorten, when
from mia_tui.tui.runs.follow import RunSnapshot
from mia_tui.tui.widgets.ink import Ink, style
from mia_tui.tui.widgets.text_line import Piece

_BAR_COLOUR = "#56b4e9"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_FULL_DISK = "The disk that holds its folder is full"


def status_words(snapshot: RunSnapshot) -> str:
    """What the run is doing, in a word or two."""
    if snapshot.is_gone:
        return "deleted"
    if snapshot.is_stopping:
        return f"{snapshot.status}, asked to stop"
    return STATUS_WORDS[snapshot.status].partition(":")[0]


def is_bad(snapshot: RunSnapshot) -> bool:
    """Whether the state of the run needs attention."""
    return snapshot.is_gone or snapshot.status in ("lost", "failed", "unknown")


def doing(snapshot: RunSnapshot, resume_key: str) -> str:
    """What the run is doing, in a sentence or two; `resume_key` is the key that resumes it."""
    if snapshot.is_gone:
        return "The folder of this run has been deleted; what is shown here was read before that."
    if snapshot.trouble:
        return snapshot.trouble
    words = _at_work(snapshot) if snapshot.status in LIVE else _at_rest(snapshot, resume_key)
    if snapshot.silent_s is not None:
        words = f"{words.rstrip('.')}; no {_awaited(snapshot.state)} for {_duration(snapshot.silent_s)}."
    if snapshot.is_disk_full and snapshot.status in LIVE:
        words += f" {_FULL_DISK}: nothing can be written or saved until some space is free."
    if snapshot.is_stopping:
        words += " It was asked to stop and saves first."
    return words


def _awaited(state: RunState) -> str:
    return "step" if state.phase == "training" else "news"


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else duration(seconds)


def _at_work(snapshot: RunSnapshot) -> str:
    state = snapshot.state
    if snapshot.status == "unknown":
        host = f" on {printable(state.started.host)}" if state.started is not None else ""
        return f"Its worker{host} has been silent for more than 2 minutes; it may be alive."
    if snapshot.status == "starting" or state.phase is None:
        return "A worker is starting."
    if state.phase == "importing":
        return "Loading the libraries, a few seconds."
    if state.phase == "training":
        return f"Training {printable(state.phase_message)}.".replace(" .", ".")
    counting = state.progress
    done = f" ({counting[0]:,} of {counting[1]:,})" if counting is not None else ""
    words = printable(state.phase_message).rstrip(".") or state.phase
    return f"{words[:1].upper()}{words[1:]}{done}."


def _at_rest(snapshot: RunSnapshot, resume_key: str) -> str:
    state = snapshot.state
    if snapshot.status == "created":
        return f"This run was never started; {resume_key} starts it."
    if snapshot.status in ("failed", "stopped") and state.error is not None:
        hint = f" {printable(state.error.hint)}" if state.error.hint else ""
        then = when(state.ended_at or 0.0)  # the cause may have been removed since
        at = f"{snapshot.status.capitalize()} {then}: " if then else ""
        return f"{at}{printable(state.error.message)}{hint}"
    if snapshot.status == "finished":
        return f"Finished{_worked(state)}{_best(state)}."
    saved = (
        "from the beginning"
        if state.checkpoint is None
        else f"from its checkpoint of epoch {state.checkpoint.epoch}"
    )
    if snapshot.status == "lost" and snapshot.is_disk_full:
        free = f"{_FULL_DISK}: free some space, then {resume_key} resumes it {saved}."
        return f"Its worker died{_worked(state)}. {free}"
    if snapshot.status == "lost":
        return f"Its worker died{_worked(state)}; {resume_key} resumes it {saved}."
    return f"Stopped{_worked(state)}{_best(state)}; {resume_key} resumes it {saved}."


def _worked(state: RunState) -> str:
    return (
        f" after {counted(len(state.epochs), 'epoch')} and {duration(state.elapsed_s)}"
        if state.epochs
        else ""
    )


def _best(state: RunState) -> str:
    if state.best is None or state.best_value is None:
        return ""
    return f"; best epoch {state.best.epoch}, {shown_metric(state.metric)} {state.best_value:.4f}"


# Bars and figures


def bars(snapshot: RunSnapshot, columns: int, ink: Ink) -> tuple[list[Piece], list[Piece]]:
    """The progress bars of the current epoch and of the whole run; empty if there is nothing to show."""
    config = None if snapshot.job is None else snapshot.job.config
    progress = run_progress(snapshot.state, config.batch_size) if isinstance(config, TrainConfig) else None
    counting = snapshot.state.progress
    working = snapshot.status in LIVE and not snapshot.is_gone
    training = working and snapshot.state.phase == "training"
    if working and not training and counting is not None and counting[1] > 0:
        share = counting[0] / counting[1]
        first = _progress("read    ", share, f"{counting[0]:,}/{counting[1]:,} images", columns, ink)
    elif progress is None or not training:  # a resumed worker reports its epoch only when it trains
        first = []
    else:
        first = _progress(_epoch_title(progress), progress.epoch_share, _epoch_words(progress), columns, ink)
    if progress is None:
        return first, []
    left = f"  {_left(progress.run_left_s)}" if training and progress.run_left_s is not None else ""
    words = f"{progress.run_share:>4.0%}{left}"
    return first, _progress(
        f"{'run':<{len(_epoch_title(progress))}}", progress.run_share, words, columns, ink
    )


def _epoch_title(progress: RunProgress) -> str:
    return f"epoch {progress.epoch}/{progress.total_epochs}"


def _epoch_words(progress: RunProgress) -> str:
    if progress.steps_per_epoch and progress.step >= progress.steps_per_epoch:
        return "evaluating the validation images"
    left = "" if progress.epoch_left_s is None else f"  {_left(progress.epoch_left_s)}"
    return f"step {progress.step:,}/{progress.steps_per_epoch:,}{left}"


def _left(seconds: float) -> str:
    return f"about {duration(seconds)} left"


def figures_line(snapshot: RunSnapshot, columns: int, ink: Ink) -> str:
    """Speed, rate, memory and load, of the newest step; if too wide, without the device, then abbreviated."""
    state = snapshot.state
    device = [printable(state.started.device)] if state.started is not None else []
    step, gpus = _step_parts(snapshot), _gpu_parts(snapshot)
    for parts in ([*device, *step, *gpus], [*step, *gpus]):
        line = ink.separator.join(parts)
        if ink.width(line) <= columns:
            return line
    # The memory in use on the GPU includes that of the run.
    return ink.separator.join([*(step[:-1] if gpus else step), *_gpu_parts(snapshot, short=True)])


def _step_parts(snapshot: RunSnapshot) -> list[str]:
    """The memory last."""
    state, step = snapshot.state, snapshot.state.last_step
    parts = []
    if step is not None:
        parts += [f"loss {shorten(step.loss)}", f"lr {shorten(step.lr)}"]
        if snapshot.status == "running" and state.phase == "training" and snapshot.silent_s is None:
            parts.append(f"{step.images_per_s:,.0f} images/s")
        parts.append(f"memory {size_words(step.memory_bytes)}")
    return parts


def _gpu_parts(snapshot: RunSnapshot, *, short: bool = False) -> list[str]:
    if not snapshot.gpus:
        return []
    loads = " / ".join(f"{gpu.load_percent} %" for gpu in snapshot.gpus if gpu.load_percent is not None)
    used = " / ".join(
        f"{size_words(gpu.total_bytes - gpu.free_bytes)} of {size_words(gpu.total_bytes)}"
        for gpu in snapshot.gpus
    )
    if short:
        return [f"GPU {loads or '?'}, {used}"]
    return [f"GPU load {loads or 'unknown'}, {used} in use"]


def size_words(count: int) -> str:
    """A number of bytes with its unit."""
    for unit, bytes_each in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= bytes_each:
            return f"{count / bytes_each:.3g} {unit}"
    return f"{count} B"


# Pages of words


def settings_text(job: AnyJob | None) -> str:
    """All settings, with a mark at those that are not the default, and the command line."""
    if job is None:
        return "The settings of this run cannot be read."
    lines = []
    settings = msgspec.structs.fields(job.config)  # type: ignore[arg-type]  # any kind's settings are a Struct
    room = max(len(field.name) for field in settings)
    for field in settings:
        value = getattr(job.config, field.name)
        shown = "none" if value is None else printable(show_value(value))
        mark = "*" if value != field.default else " "
        lines.append(f"{mark} {field.name:<{room}} {shown}")
    classes = ", ".join(printable(item.name) for item in job.classes[:20])
    more = f" and {len(job.classes) - 20:,} more" if len(job.classes) > 20 else ""
    head = [
        printable(job.command),
        "",
        f"  {'dataset':<{room}} {printable(job.dataset)}",
        f"  {'classes':<{room}} {len(job.classes)}: {classes}{more}",
    ]
    return "\n".join([*head, "", "* differs from the default", *lines])


def messages_text(snapshot: RunSnapshot) -> str:
    """Errors, warnings, and what could not be read."""
    state = snapshot.state
    blocks = [snapshot.trouble] if snapshot.trouble else []
    if state.error is not None:
        blocks.append(_said("Error", state.error.message, state.error.hint))
    blocks += [_said("Warning", warning.message, warning.hint) for warning in state.warnings]
    blocks += left_out_sentences(state)
    hidden = state.warning_count - len(state.warnings)
    if hidden > 0:
        blocks.append(f"And {counted(hidden, 'warning')} more.")
    if state.bad_lines:
        blocks.append(
            f"{counted(state.bad_lines, 'line')} of its log cannot be read and {_are(state.bad_lines)} left out."
        )
    if state.unknown_events:
        events = counted(state.unknown_events, "event")
        blocks.append(f"{events} of another version of mia-tui {_are(state.unknown_events)} left out.")
    if state.started is not None:
        versions = ", ".join(
            f"{name} {version}" for name, version in _printable_pairs(state.started.versions.items())
        )
        blocks.append(
            f"Attempt {state.attempt} ran as process {state.started.pid} on {printable(state.started.host)}, "
            f"{printable(state.started.device)}; {versions or 'versions unknown'}."
        )
    return "\n\n".join(blocks) or "There are no messages."


def message_count(snapshot: RunSnapshot) -> int:
    """Errors and warnings."""
    return snapshot.state.warning_count + (snapshot.state.error is not None) + bool(snapshot.trouble)


def _printable_pairs(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(printable(name), printable(version)) for name, version in pairs]


def _said(kind: str, message: str, hint: str | None) -> str:
    return f"{kind}: {printable(message)}" + (f" {printable(hint)}" if hint else "")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _progress(title: str, share: float, words: str, columns: int, ink: Ink) -> list[Piece]:
    """A progress bar between a title and words.

    Args:
        title: What the bar counts.
        share: How much of it is done, 0 to 1.
        words: Text behind the bar.
        columns: Width of the line.
        ink: Characters and styles.
    """
    room = max(4, min(40, columns - len(title) - len(words) - 4))
    bar = _bar(share, room, unicode=ink.unicode)
    bar_style = style(fg=_BAR_COLOUR) if ink.colours else None
    left, right = ("▕", "▏") if ink.unicode else ("[", "]")
    return [(f"{title} {left}", None), (bar, bar_style), (f"{right} {words}", None)]


def _bar(share: float, columns: int, *, unicode: bool) -> str:
    """A bar that is filled up to a share of its width."""
    share = max(0.0, min(1.0, share))
    if not unicode:
        return ("#" * int(share * columns)).ljust(columns, ".")
    eighths = int(share * columns * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(columns)
