"""What `mia-tui runs show` prints."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from mia_tui.cli.output.report import Report
from mia_tui.cli.output.trials import print_trials, trials_record
from mia_tui.cli.runs.listing import as_record
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.fields import fields, show_value
from mia_tui.config.jobs import JobConfig
from mia_tui.config.predict import NetworkConfig, PredictConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.model import PARTS, WHOLE_STACK
from mia_tui.errors import RunError
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.list.summaries import RunSummary, SummaryReader
from mia_tui.runs.list.words import (
    best_words,
    evaluated_in_epoch,
    left_out_sentences,
    start_words,
    status_sentence,
    time_used_words,
)
from mia_tui.runs.record.decision import Decision, decision_file, decision_words, read_decision, rule_words
from mia_tui.runs.record.input_words import input_sentence
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.runs.record.time_use import bottleneck, shares
from mia_tui.text import (
    NAMED,
    counted,
    decode_name,
    duration,
    fault_of,
    name_faults,
    name_some,
    printable,
    size_words,
    typed,
)

if TYPE_CHECKING:
    from mia_tui.runs.evaluation.confusion import SavedConfusion
    from mia_tui.runs.record.fingerprint import DataFingerprint
    from mia_tui.runs.rerun.outcome import RerunOutcome

_WARNINGS_SHOWN = 5
_HANG = 12  # where the text of a fact begins
_SHOWN_APART = frozenset({"images", "scope", "out", "trained_on", "rule", "rule_by", "ensemble"})
"""Settings that have a line of their own."""


@dataclass(frozen=True)
class RunView:
    """What `runs show` shows of a run.

    Attributes:
        row: The run as a line of the list.
        job: What it is asked to do, with folders as they are now.
        state: Its state by its events.
        matrix: The confusion matrix of the best epoch of a training, or that of an evaluation; None if there is none.
        images: Number of images of each part that has any.
        input_map: What was measured of a training's images; None if nothing was.
        stacks: How many of the images are stacks as a whole.
        decision: How the network of a training decides; None for none.
        fingerprint: Of the images of a training; None if none was taken.
        rerun: What came of a repetition; None if the run repeats none.
        troubles: What could not be read, a sentence each.
    """

    row: RunSummary
    job: AnyJob
    state: RunState
    matrix: "SavedConfusion | None"
    images: dict[str, int]
    troubles: tuple[str, ...]
    input_map: InputMap | None = None
    stacks: int = 0
    decision: Decision | None = None
    fingerprint: "DataFingerprint | None" = None
    rerun: "RerunOutcome | None" = None


def view_run(run: RunDir) -> RunView:
    """Read everything that is shown of a run.

    Raises:
        RunError: If the run cannot be read.
    """
    from mia_tui.runs.evaluation.confusion import load_confusion

    job, state, troubles = current_job(run), read_state(run), []
    row = SummaryReader(run).refresh()
    if row is None:
        raise RunError(f"The run {printable(run.name)} was deleted.")
    matrix, images, stacks = None, Counter[str](), 0
    try:
        if run.has_samples() or isinstance(job.config, TrainConfig):
            samples = run.samples()
            images.update(sample.split for sample in samples)
            stacks = sum(sample.frame == WHOLE_STACK for sample in samples)
    except RunError as error:
        troubles.append(str(error))
    file = run.confusion("best" if isinstance(job.config, TrainConfig) else "evaluation")
    try:
        matrix = load_confusion(file) if file.exists() else None
    except RunError as error:
        troubles.append(str(error))
    try:
        input_map = run.input_map()
    except RunError as error:
        input_map = None
        troubles.append(str(error))
    decision = fingerprint = rerun = None
    if isinstance(job.config, TrainConfig):
        decision = _decision(run, troubles)
        fingerprint, rerun = _repeated(run, troubles)
    counts: dict[str, int] = {part: images[part] for part in PARTS if images[part]}
    return RunView(
        row, job, state, matrix, counts, tuple(troubles), input_map, stacks, decision, fingerprint, rerun
    )


def _decision(run: RunDir, troubles: list[str]) -> Decision | None:
    """How the network of a training decides; adds a sentence about one that has no effect."""
    try:
        decision = read_decision(run.best_weights)
    except RunError as error:
        troubles.append(str(error))
        return None
    if decision is None and decision_file(run.best_weights).exists():
        troubles.append(
            "Its threshold was chosen for earlier weights and has no effect; "
            f"`mia-tui runs threshold {typed(run.path)}` chooses one for these."
        )
    return decision


def _repeated(run: RunDir, troubles: list[str]) -> "tuple[DataFingerprint | None, RerunOutcome | None]":
    """The fingerprint of a training's images, and what came of it as a repetition."""
    from mia_tui.runs.record.fingerprint import data_fingerprint
    from mia_tui.runs.rerun.outcome import rerun_outcome

    try:
        return data_fingerprint(run), rerun_outcome(run)
    except RunError as error:
        troubles.append(str(error))
        return None, None


def print_run(report: Report, view: RunView) -> None:
    """Print the output of `runs show`."""
    for trouble in view.troubles:
        report.warn(trouble)
    if report.as_json:
        report.record(_record(view))
        return
    for title, text in _facts(view):
        report.say(f"{title:<11} {text}", hang=_HANG)
    _print_trouble(report, view.state)
    if view.state.trials or view.state.choice is not None:
        report.say()
        print_trials(report, view.state.trials, view.state.choice)
    if view.state.epochs:
        report.say()
        report.epochs(view.state)
    if view.state.result is not None and view.state.result.counts:
        _print_counts(report, view.state.result.counts, view.state.result.unsure)
    if view.matrix is not None:
        _print_matrix(report, view, view.matrix)


def settings_sentence(config: JobConfig) -> str:
    """The settings that differ from the defaults, named as in a settings file."""
    changed = _changed_settings(config)
    if not changed:
        return "the defaults"
    shown = [f"{name} {_shown(value)}" for name, value in changed.items()]
    return f"{', '.join(shown)}; otherwise the defaults"


def _changed_settings(config: JobConfig) -> dict[str, Any]:
    if isinstance(config, TrainConfig):
        usual, names = TrainConfig(), [field.name for field in fields()]
        return {
            name: getattr(config, name) for name in names if getattr(config, name) != getattr(usual, name)
        }
    settings = msgspec.structs.fields(config)  # type: ignore[arg-type]  # any kind's settings are a Struct
    return {
        field.name: value
        for field in settings
        if not field.required and field.name not in _SHOWN_APART
        if (value := getattr(config, field.name)) != field.default
    }


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):  # a shard
        return "/".join(map(str, value))
    return printable(show_value(value))


def _facts(view: RunView) -> list[tuple[str, str]]:
    job, notes = view.job, view.row.notes
    classes = name_some((item.name for item in job.classes), limit=12)
    said = [
        ("Title", printable(notes.title)),
        ("Tags", ", ".join(map(printable, notes.tags))),
        ("Note", printable(notes.note)),
    ]
    return [
        ("Run", printable(view.row.run.path)),
        *((name, text) for name, text in said if text),
        *([] if isinstance(job.config, TrainConfig) else [("Kind", job.config.noun)]),
        ("Status", _status(view)),
        ("Dataset", printable(job.dataset)),
        *([("Images", images)] if (images := _images(view)) else []),
        *_data(view),
        *([("Classes", f"{len(job.classes)}: {classes}")] if job.classes else []),
        ("Network", _network(job.config)),
        *_input(view),
        ("Settings", settings_sentence(job.config)),
        *([("Group", words)] if (words := _group(job)) else []),
        *([("Threshold", words)] if (words := _threshold(view)) else []),
        ("Command", printable(job.command)),
        *_outcome(view),
    ]


def _group(job: AnyJob) -> str:
    """Which of several repetitions it is; empty for none."""
    repeat = job.repeat
    return "" if repeat is None else f"run {repeat.number} of {repeat.of} of {printable(repeat.group)}"


def _images(view: RunView) -> str:
    config = view.job.config
    parts = ", ".join(f"{counted(count, 'image')} in {part}" for part, count in view.images.items())
    if isinstance(config, EvaluateConfig):
        trained = f", {config.trained_on:,} of which the network was trained on" if config.trained_on else ""
        return f"{counted(sum(view.images.values()), 'image')}, split {printable(config.split)}{trained}"
    if isinstance(config, TrainConfig) and view.stacks:
        one = "is a stack as a whole" if view.stacks == 1 else "are stacks as a whole"
        parts += f"; {view.stacks:,} {one} ({config.stack})"
    return printable(config.scope) if isinstance(config, PredictConfig) else parts


def _data(view: RunView) -> list[tuple[str, str]]:
    """The fingerprint of a training's images; nothing before it was taken, and of other kinds."""
    if not isinstance(view.job.config, TrainConfig):
        return []
    data = view.fingerprint
    if data is not None:
        unread = f", {data.unread:,} of which could not be read" if data.unread else ""
        words = (
            f"fingerprint {data.digest} of {counted(data.files, 'file')}, {size_words(data.bytes)}{unread}"
        )
        return [("Data", words)]
    is_old = bool(view.state.epochs)
    return [("Data", "no fingerprint: an earlier version trained it")] if is_old else []


def _network(config: JobConfig) -> str:
    if isinstance(config, TrainConfig):
        weights = printable(config.weights)
        return f"{config.backbone}, {config.size} pixels, weights {weights}"
    if isinstance(config, NetworkConfig) and config.ensemble:
        return f"{printable(config.network)}: the mean of their probabilities"
    weights = f", weights {printable(config.weights)}" if isinstance(config, NetworkConfig) else ""
    return f"{printable(config.network)}{weights}"


def _input(view: RunView) -> list[tuple[str, str]]:
    """What a training gives its network; nothing before its brightness was measured."""
    config = view.job.config
    if view.input_map is None or not isinstance(config, TrainConfig):
        return []
    return [("Input", input_sentence(view.input_map, color=config.color, pixel_size=config.pixel_size))]


def _threshold(view: RunView) -> str:
    """How the network of a training decides, or that of a prediction did; empty where it always answers."""
    config = view.job.config
    if isinstance(config, PredictConfig) and config.rule is not None:
        words = rule_words(config.rule)
    else:
        words = "" if view.decision is None else decision_words(view.decision)
    return words.removeprefix("threshold ")


def _status(view: RunView) -> str:
    shown = view.row.status
    if shown == "damaged":
        return f"damaged. {view.row.note}"
    if shown == "waiting" and view.state.phase_message:
        return printable(view.state.phase_message)
    words = status_sentence(view.row.run, shown)
    if view.row.progress is None or shown == "finished":
        return words
    done, total = view.row.progress
    return f"{words}, {done:,} of {counted(total, 'image')}" if total else words


def _outcome(view: RunView) -> list[tuple[str, str]]:
    state, config = view.state, view.job.config
    facts = []
    if state.started is not None:
        attempts = f", {counted(state.attempt, 'attempt')}" if state.attempt > 1 else ""
        device = f" on {state.started.device}" if state.started.device else ""  # an import has none
        facts.append(("Time", f"{duration(_elapsed_s(view))}{device}{attempts}"))
    if state.start is not None:
        facts.append(("Start", f"{start_words(state.start)}."))
    if state.time_used is not None:
        facts.append(("Time use", time_used_words(state.time_used)))
    if isinstance(config, TrainConfig) and state.best is not None and state.best_value is not None:
        facts.append(("Best", f"epoch {state.best.epoch}, {best_words(state)}"))
    if view.rerun is not None:
        done = state.outcome == "finished"
        facts.append(("Rerun", view.rerun.sentence if done else f"of {printable(view.rerun.original.name)}"))
    if isinstance(config, PredictConfig) and config.out is not None:
        facts.append(("Out", printable(config.out)))
    if state.result is not None:
        facts.append(("Result", printable(state.result.sentence)))
        if state.result.problem_count:
            facts.append(("Left out", _problems(state.result.problems, state.result.problem_count)))
    return facts


def _elapsed_s(view: RunView) -> float:
    is_training = isinstance(view.job.config, TrainConfig)
    return view.state.elapsed_s if is_training else view.row.elapsed_s


def _problems(problems: dict[str, str], count: int) -> str:
    faults = (fault_of(decode_name(name), reason) for name, reason in problems.items())
    return f"{counted(count, 'image')} could not be read: {name_faults(islice(faults, NAMED), count)}."


def _print_trouble(report: Report, state: RunState) -> None:
    for warning in state.warnings[:_WARNINGS_SHOWN]:
        report.say(f"{'Warning':<11} {warning.message}", hang=_HANG)
    hidden = state.warning_count - _WARNINGS_SHOWN
    if hidden > 0:
        report.say(f"{'':<11} and {counted(hidden, 'warning')} more; --json has them", hang=_HANG)
    for sentence in left_out_sentences(state):
        report.say(f"{'Left out':<11} {sentence}", hang=_HANG)
    if state.error is not None:
        report.say(f"{'Error':<11} {state.error.message} {state.error.hint or ''}".rstrip(), hang=_HANG)


def _print_counts(report: Report, counts: dict[str, int], unsure: int) -> None:
    total = sum(counts.values()) + unsure
    rows = [
        (printable(decode_name(name)), count, f"{count / total:.1%}" if total else "")
        for name, count in counts.items()
    ]
    if unsure:
        rows.append(("(unsure)", unsure, f"{unsure / total:.1%}"))
    report.say()
    report.table(("class", "images", "share"), rows)


def _print_matrix(report: Report, view: RunView, matrix: "SavedConfusion") -> None:
    from mia_tui.runs.evaluation.confusion import figures, per_class

    report.say()
    if isinstance(view.job.config, TrainConfig):
        in_epoch = evaluated_in_epoch(view.state, matrix.epoch)
        report.say(f"Epoch {matrix.epoch} on {matrix.split}{in_epoch}:")
    report.confusion(matrix.counts.tolist(), matrix.classes)
    report.say()
    report.per_class(msgspec.to_builtins(per_class(matrix.counts, matrix.classes)))
    report.say()
    report.figures(figures(matrix.counts))


def _record(view: RunView) -> dict[str, Any]:
    """One run as the object of `runs show --json`."""
    from mia_tui.runs.rerun.outcome import rerun_record

    state = view.state
    is_training = isinstance(view.job.config, TrainConfig)
    figures = None if view.matrix is None else _figures(view.matrix)
    return {
        **as_record(view.row),
        "attempts": state.attempt,
        "elapsed_s": _elapsed_s(view),
        "classes": [item.name for item in view.job.classes],
        "images": view.images,
        "input": view.input_map,
        "config": view.job.config,
        "decision": view.decision,
        "fingerprint": view.fingerprint,
        "rerun": None if view.rerun is None else rerun_record(view.rerun),
        "command": view.job.command,
        "warnings": [warning.message for warning in state.warnings],
        "error": state.error,
        **(_training_record(state, figures) if is_training else {"made": state.result, "figures": figures}),
    }


def _training_record(state: RunState, figures: dict[str, Any] | None) -> dict[str, Any]:
    start, used = state.start, state.time_used
    return {
        "trials": trials_record(state.trials, state.choice),
        "start": None if start is None else {"total_s": start.total_s, "parts": start.parts},
        "time_used": None
        if used is None
        else {
            "seconds": used.seconds,
            "shares": shares(used.seconds),
            "bottleneck": bottleneck(used.seconds),
            "sentence": used.sentence,
        },
        "history": [{"epoch": row.epoch, "train": row.train, "val": row.val} for row in state.epochs],
        "left_out": [
            {
                "first_epoch": spell.first,
                "last_epoch": spell.last,
                **msgspec.to_builtins(spell.images),
            }
            for spell in state.left_out
        ],
        "best_figures": figures,
    }


def _figures(best: "SavedConfusion") -> dict[str, Any]:
    from mia_tui.runs.evaluation.confusion import figures, per_class

    return {
        "epoch": best.epoch,
        "split": best.split,
        **figures(best.counts),
        "classes": list(best.classes),
        "per_class": per_class(best.counts, best.classes),
        "confusion": best.counts.tolist(),
    }
