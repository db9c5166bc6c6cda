"""The sentences of the screen of a run: its first lines, and the pages of settings and messages; no widgets."""

import math
from collections.abc import Iterable
from functools import partial

import msgspec

from mia_tui.catalog.metrics import metric_words
from mia_tui.config.features import FeaturesConfig
from mia_tui.config.fields import show_value
from mia_tui.config.predict import DecisionRule, PredictConfig
from mia_tui.config.train import TrainConfig
from mia_tui.config.train.epoch_work import training_work
from mia_tui.runs.list.words import (
    RESUMABLE,
    STATUS_WORDS,
    best_words,
    left_out_sentences,
    start_words,
    time_used_words,
)
from mia_tui.runs.record.decision import rule_words
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.state import RunState
from mia_tui.runs.record.time_left import ImageProgress, RunProgress, image_progress, run_progress
from mia_tui.runs.record.time_use import bottleneck
from mia_tui.runs.worker.liveness import IN_PROGRESS
from mia_tui.text import counted, decode_name, duration, fault_of, printable, shorten, size_words, when
from mia_tui.tui.runs.follow import RunSnapshot
from mia_tui.tui.widgets.bars import BarLine, bar
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import Piece

_TRAINS, _PREDICTS, _MAKES_FEATURES = TrainConfig.kind, PredictConfig.kind, FeaturesConfig.kind
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
    words = _at_work(snapshot) if snapshot.status in IN_PROGRESS else _at_rest(snapshot, resume_key)
    if snapshot.silent_s is not None:
        words = f"{words.rstrip('.')}; no {_awaited(snapshot.state)} for {_duration(snapshot.silent_s)}."
    if snapshot.is_disk_full and snapshot.status in IN_PROGRESS:
        words += f" {_FULL_DISK}: nothing can be written or saved until some space is free."
    if snapshot.is_stopping:
        words += " It was asked to stop and saves first."
    return words


def kind_of_job(snapshot: RunSnapshot) -> str:
    """The kind of its job; a training as long as that cannot be read."""
    return _TRAINS if snapshot.job is None else snapshot.job.kind


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
        words = f"Training {printable(state.phase_message)}.".replace(" .", ".")
        return f"{words} {_hint(state)}".rstrip()
    done = "" if state.progress is None else f" ({_of(*state.progress)})"
    words = printable(state.phase_message).rstrip(".") or state.phase
    return f"{words[:1].upper()}{words[1:]}{done}."


def _hint(state: RunState) -> str:
    """What slows a run down that could be otherwise; empty while nothing does."""
    used = state.time_used
    return printable(used.sentence) if used and bottleneck(used.seconds) not in ("computing", None) else ""


def _of(done: int, total: int) -> str:
    """`30 of 120`; the total may not be known yet."""
    return f"{done:,} of {total:,}" if total else f"{done:,}"


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
        made = "." if state.result is None else f": {printable(state.result.sentence)}"
        return f"Finished{_worked(state)}{_best(state)}{made}"
    saved = _saved(snapshot)
    if snapshot.status == "lost" and snapshot.is_disk_full:
        free = f"{_FULL_DISK}: free some space, then {resume_key} resumes it {saved}."
        return f"Its worker died{_worked(state)}. {free}"
    if snapshot.status == "lost":
        return f"Its worker died{_worked(state)}; {resume_key} resumes it {saved}."
    return f"Stopped{_worked(state)}{_best(state)}; {resume_key} resumes it {saved}."


def without_effect(status: str) -> frozenset[str]:
    """The commands that do nothing for a run in such a state."""
    states = {"stop": IN_PROGRESS, "resume": RESUMABLE}
    return frozenset(command for command, those in states.items() if status not in those)


def _saved(snapshot: RunSnapshot) -> str:
    """Where a run continues, in words."""
    state = snapshot.state
    if (
        kind_of_job(snapshot) in (_PREDICTS, _MAKES_FEATURES)
        and state.reached is not None
        and state.reached[0]
    ):
        return "where it stopped"
    if state.checkpoint is None:
        is_trying = bool(snapshot.state.trials) and snapshot.state.choice is None
        return "with the next trial" if is_trying else "from the beginning"
    return f"from its checkpoint of epoch {state.checkpoint.epoch}"


def _worked(state: RunState) -> str:
    images = image_progress(state)
    if images is not None and state.result is None:
        return f" after {_of(images.done, images.total)} images"
    return (
        f" after {counted(len(state.epochs), 'epoch')} and {duration(state.elapsed_s)}"
        if state.epochs
        else ""
    )


def _best(state: RunState) -> str:
    if state.best is None or state.best_value is None:
        return ""
    return f"; best epoch {state.best.epoch}, {best_words(state)}"


# Bars and figures


def bars(snapshot: RunSnapshot, columns: int, ink: Ink) -> tuple[list[Piece], list[Piece]]:
    """The progress bars of the current epoch and of the whole run; empty if there is nothing to show."""
    images = image_progress(snapshot.state)
    if images is not None:
        return [], _image_bar(images, columns, ink)
    config = None if snapshot.job is None else snapshot.job.config
    progress = None
    if isinstance(config, TrainConfig):
        progress = run_progress(snapshot.state, config.batch_size, partial(training_work, config))
    counting = snapshot.state.progress
    working = snapshot.status in IN_PROGRESS and not snapshot.is_gone
    training = working and snapshot.state.phase == "training"
    if working and not training and counting is not None and counting[1] > 0:
        share = counting[0] / counting[1]
        title = "trial   " if snapshot.state.phase == "trials" else "read    "
        first = _progress(title, share, f"{counting[0]:,}/{counting[1]:,} images", columns, ink)
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


def _image_bar(images: ImageProgress, columns: int, ink: Ink) -> list[Piece]:
    left = "" if images.left_s is None else f"  {_left(images.left_s)}"
    words = f"{int(100 * images.share)}%  {images.done:,}/{images.total:,}{left}"
    return _progress("images", images.share, words, columns, ink)


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
    return ink.separator.join(
        [*(step[:-1] if gpus and state.last_step else step), *_gpu_parts(snapshot, short=True)]
    )


def _step_parts(snapshot: RunSnapshot) -> list[str]:
    """The memory last."""
    state, step = snapshot.state, snapshot.state.last_step
    parts = []
    images = image_progress(state)
    if images is not None and images.images_per_s is not None and snapshot.status == "running":
        parts.append(_speed(images.images_per_s))
    if step is not None:
        parts += [f"loss {shorten(step.loss)}", f"lr {shorten(step.lr)}"]
        if snapshot.status == "running" and state.phase == "training" and snapshot.silent_s is None:
            parts.append(_speed(step.images_per_s))
        parts.append(f"memory {size_words(step.memory_bytes)}")
    return parts


def _speed(images_per_s: float) -> str:
    return f"{images_per_s:,.0f} images/s" if images_per_s >= 10 else f"{images_per_s:.1f} images/s"


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


# Pages of words


def notes_text(snapshot: RunSnapshot) -> str:
    """What a person said of the run, with the name of its folder; empty if nobody said anything."""
    notes = snapshot.notes
    said = {"title": notes.title, "tags": ", ".join(notes.tags), "note": notes.note}
    if not any(said.values()):
        return ""
    facts = {"folder": snapshot.folder, **said}
    lines = [f"  {name:<7} {printable(text)}" for name, text in facts.items() if text]
    return "\n".join([*lines, "", ""])


def result_lines(snapshot: RunSnapshot) -> tuple[BarLine, ...]:
    """What a run has made: its sentences, images of each class, metrics, and images that could not be read."""
    result = snapshot.state.result
    if result is None:
        is_over = snapshot.status not in IN_PROGRESS
        return (BarLine("It ended before it had a result." if is_over else "The result comes at the end."),)
    said = (result.sentence, result.remark) if result.remark else (result.sentence,)
    lines = [*(BarLine(printable(sentence)) for sentence in said), BarLine("")]
    total = sum(result.counts.values()) + result.unsure
    lines += [
        BarLine(decode_name(name), f"{count:,} {count / total:>6.1%}", count / total, can_open=True)
        for name, count in result.counts.items()
        if total
    ]
    if result.unsure:
        share = result.unsure / total
        lines.append(BarLine("(unsure)", f"{result.unsure:,} {share:>6.1%}", share))
    lines += [
        BarLine(metric_words(name), f"{value:.4f}", value)
        for name, value in result.figures.items()
        if math.isfinite(value)
    ]
    if result.problem_count:
        read = counted(result.problem_count, "image")
        lines += [
            BarLine(""),
            BarLine(f"{read} could not be read and {_are(result.problem_count)} left out:"),
        ]
        lines += [
            BarLine(fault_of(decode_name(name), printable(reason)))
            for name, reason in result.problems.items()
        ]
        more = result.problem_count - len(result.problems)
        lines += [BarLine(f"and {more:,} more.")] if more > 0 else []
    return tuple(lines)


def trials_text(state: RunState) -> str:
    """The trials of a training, a line each with the chosen one marked, and why it was chosen; empty for none."""
    why = [] if state.choice is None else [state.choice.why, "", ""]
    if not state.trials:
        return "\n".join(why)  # of a repetition: the first run did them
    chosen = 0 if state.choice is None else state.choice.number
    heads = {"lr": "rate", "weight_decay": "decay", "epochs": "epochs"}
    names = [name for name in heads if name in state.trials[0].settings]
    lines = [
        "Trials, by their loss on images that they did not learn from:",
        f"{'':4}{''.join(f'{heads[name]:>10}' for name in names)}{'loss':>9}{'right':>8}  gain over the first",
    ]
    for trial in state.trials:
        values = "".join(f"{trial.settings[name]:>10.3g}" for name in names)
        gain = f"  {trial.gain:+.4f} ± {trial.error:.4f}" if trial.number > 1 else ""
        mark = "*" if trial.number == chosen else " "
        lines.append(f"{mark}{trial.number:>3}{values}{trial.score:>9.4f}{trial.accuracy:>8.1%}{gain}")
    return "\n".join([*lines, *(why or ["", ""])])


def settings_text(job: AnyJob | None) -> str:
    """All settings, with a mark at those that are not the default, and the command line."""
    if job is None:
        return "The settings of this run cannot be read."
    lines = []
    settings = msgspec.structs.fields(job.config)  # type: ignore[arg-type]  # any kind's settings are a Struct
    room = max(len(field.name) for field in settings)
    for field in settings:
        value = getattr(job.config, field.name)
        if isinstance(value, DecisionRule):
            shown = rule_words(value) or "none"
        else:
            shown = "none" if value is None else printable(show_value(value))
        mark = "*" if value != field.default else " "
        lines.append(f"{mark} {field.name:<{room}} {shown}")
    classes = ", ".join(printable(item.name) for item in job.classes[:20])
    more = f" and {len(job.classes) - 20:,} more" if len(job.classes) > 20 else ""
    head = [
        *([printable(job.command), ""] if job.command else []),
        f"  {'dataset':<{room}} {printable(job.dataset)}",
        *([f"  {'classes':<{room}} {len(job.classes)}: {classes}{more}"] if job.classes else []),
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
    if state.start is not None:
        blocks.append(f"The start took {start_words(state.start)}.")
    if state.time_used is not None:
        blocks.append(f"Time use: {time_used_words(state.time_used)}")
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
    left, right = ("▕", "▏") if ink.unicode else ("[", "]")
    filled = bar(share, room, unicode=ink.unicode)
    return [(f"{title} {left}", None), (filled, ink.bar()), (f"{right} {words}", None)]
