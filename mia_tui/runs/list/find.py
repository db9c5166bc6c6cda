"""Finding runs: those of a dataset, those of this user."""

import difflib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from mia_tui.catalog.metrics import MetricName, shown_metric
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.jobs import JOB_CONFIGS
from mia_tui.dataset.recent import recent_datasets
from mia_tui.decoding import BadRecord, Text, Time, decode_json
from mia_tui.errors import ConfigError, RunError
from mia_tui.files import open_in_place, read
from mia_tui.paths import StateFolder, orphaned_states, state_places, user_jobs, user_state
from mia_tui.runs.disk import write_atomically
from mia_tui.runs.record.events import EpochEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import best_epoch, read_state
from mia_tui.text import decode_name, did_you_mean, encode_name, name_some, printable, typed

_RECENT = "recent-runs"
_MOST_RECENT = 100
_MOST_BYTES = 1 << 24
_NAMED = 5
_LIST_HINT = "`mia-tui runs list DATASET` lists the runs of a dataset."


class _Brief(msgspec.Struct, frozen=True):
    created_at: Time
    kind: Text = "train"


def list_runs(state: StateFolder) -> list[RunDir]:
    """The runs of a dataset, oldest first; other folders are ignored.

    Raises:
        RunError: If the folder of runs cannot be read.
    """
    try:
        with os.scandir(state.runs) as entries:
            folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"{printable(state.runs)} cannot be read: {error.strerror}.") from error
    return oldest_first([run for run in map(RunDir, folders) if _is_there(run)])


def find_run(
    text: str, *, dataset: Path | None = None, state: Path | None = None, kind: str | None = "train"
) -> RunDir:
    """The run that a user named.

    Args:
        text: A folder; a run's name or title or the beginning of one; `last`, the newest run of that kind; or `best`,
            the training of the dataset whose best epoch has the best value of the newest one's metric.
        dataset: The dataset whose runs are searched; None means this user's recent runs.
        state: The folder given with --state.
        kind: The kind of job that is meant; None for any.

    Raises:
        ConfigError: If no run, or more than one, fits.
        RunError: If `text` is a folder that holds no run.
    """
    if not text:  # every name begins with it, and the only run may be what is deleted then
        raise ConfigError("Which run?", f"Its name is empty. {_LIST_HINT}")
    runs = [run for run in runs_of(dataset, state) if kind is None or kind_of(run) == kind]
    where = _where(dataset, state)
    if text == "best" and dataset is None and state is None:
        raise ConfigError("The best run of which dataset?", "Name it with --dataset.")
    if text == "last" and dataset is None and state is None:
        _refuse_if_moved(runs)
    if text in ("last", "best"):
        if not runs:
            raise ConfigError(f"There is no run {where} yet.", no_runs_hint(dataset, state))
        return runs[-1] if text == "last" else _best(runs, where)
    exact = [run for run in runs if text in (run.name, run.notes().title)]
    path = _named(text)
    if not exact and RunDir(path).exists():
        return _of_kind(RunDir(path), kind)
    found = exact or [run for run in runs if run.name.startswith(text) or run.notes().title.startswith(text)]
    if not found and path.is_dir():
        return _of_kind(RunDir.open(path), kind)
    return _only(found, text, runs, where, _LIST_HINT if runs else no_runs_hint(dataset, state))


def kind_of(run: RunDir) -> str:
    """The kind of a run's job; a training where it cannot be read, or is of a version that knew nothing else."""
    try:
        return decode_json(run.job_bytes(), _Brief).kind
    except (RunError, BadRecord):
        return "train"


def evaluations_beside(run: RunDir, digest: str) -> list[RunDir]:
    """Evaluations of some weights among the runs beside one, oldest first; those that cannot be read are none."""
    found = []
    with suppress(RunError):
        for other in list_runs(StateFolder(run.path.resolve().parent.parent)):
            with suppress(RunError):
                config = other.job().config if kind_of(other) == EvaluateConfig.kind else None
                if isinstance(config, EvaluateConfig) and config.digest == digest:
                    found.append(other)
    return found


def _of_kind(run: RunDir, kind: str | None) -> RunDir:
    found = kind_of(run)
    if kind is None or found == kind:
        return run
    meant = JOB_CONFIGS[kind].noun
    is_what = JOB_CONFIGS[found].noun if found in JOB_CONFIGS else f"run of the kind {printable(found)}"
    raise ConfigError(
        f"The run {printable(run.name)} is {_with_article(is_what)}, and {_with_article(meant)} is needed.",
        _LIST_HINT,
    )


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def no_runs_hint(dataset: Path | None, state: Path | None) -> str:
    """What to do if there are no runs: the dataset may have been renamed without its state folder."""
    left = orphaned_states(dataset) if dataset is not None and state is None else []
    if dataset is None or not left:
        return "Start one with `mia-tui train DATASET`."
    places = name_some(str(folder) for folder in left)
    adopt = f"`mia-tui labels adopt {typed(dataset)}`"
    return f"If the dataset was renamed, its runs may be in {places}: {adopt} takes them over."


def remember_run(run: RunDir) -> None:
    """Record a run as this user's newest; does nothing if the user's folder cannot be written."""
    with suppress(OSError):
        file = user_state() / _RECENT
        with os.fdopen(open_in_place(file, append=True, mode=0o600), "wb") as lines:
            lines.write(msgspec.json.encode(encode_name(str(run.path.resolve()))) + b"\n")
        _shorten(file)


def recent_runs() -> list[RunDir]:
    """The runs of this user that still exist, the newest last; also in datasets that were moved and opened since."""
    found: dict[Path, RunDir] = {}
    places: list[Path] | None = None
    for path in _remembered():
        run: RunDir | None = RunDir(path)
        if not _is_there(RunDir(path)):
            places = _recent_states() if places is None else places
            run = _moved(path, places)
        if run is not None:
            found.setdefault(run.path.resolve(), run)
    return list(reversed(found.values()))


def runs_of(dataset: Path | None, state: Path | None) -> list[RunDir]:
    """The runs of a dataset (or of this user, if none is named), oldest first.

    Args:
        dataset: Folder of images; its state may be in it or beside it.
        state: The folder given with --state; then only that folder counts.

    Raises:
        ConfigError: If the dataset is not a folder.
    """
    if state is not None:
        return list_runs(StateFolder(state))
    if dataset is None:
        return recent_runs()
    if not dataset.is_dir():
        raise ConfigError(f"The dataset {printable(dataset)} is not a folder.", "Check its path.")
    return oldest_first([run for place in run_places(dataset) for run in list_runs(place)])


def run_places(dataset: Path) -> tuple[StateFolder, ...]:
    """Where runs of a dataset may be; with a labels.db or without: a moved state must not hide runs."""
    places = tuple(map(StateFolder, state_places(dataset)))
    try:
        return (*places, user_jobs(dataset))
    except OSError:  # this user's home cannot be written
        return places


def places_of_runs(dataset: Path, state: Path | None) -> tuple[StateFolder, ...]:
    """As `run_places`; the folder given with --state, if there is one, alone."""
    return run_places(dataset) if state is None else (StateFolder(state),)


def _remembered() -> list[Path]:
    """Where the runs of this user were, the newest first."""
    try:
        lines = read(user_state() / _RECENT, most_bytes=_MOST_BYTES).splitlines()
    except OSError:
        return []
    return list(dict.fromkeys(path for line in reversed(lines) if (path := _path(line))))


def _recent_states() -> list[Path]:
    """The state folders of the datasets that this user opened last."""
    return [
        place
        for known in recent_datasets()
        for place in ((known.state,) if known.state is not None else state_places(known.path))
    ]


def _moved(path: Path, places: Iterable[Path]) -> RunDir | None:
    """A run that is not where it was, found in a dataset that was opened under another name since."""
    if _was_deleted(path):
        return None
    runs = (RunDir(StateFolder(place).runs / path.name) for place in places)
    return next((run for run in runs if _is_there(run)), None)


def _is_there(run: RunDir) -> bool:
    """Whether a run can be seen; one in a private folder or on an unreachable drive must not hide the others."""
    try:
        return run.exists()
    except OSError:
        return False


def _was_deleted(path: Path) -> bool:
    """Whether a run does not exist any more while its dataset does."""
    return os.path.isdir(path.parent.parent)  # noqa: PTH112  # Path's raises where a drive is unreachable


def _refuse_if_moved(runs: list[RunDir]) -> None:
    """`last` must not mean an older run because the dataset of the newest one was moved."""
    newest = next((path for path in _remembered() if _is_there(RunDir(path)) or not _was_deleted(path)), None)
    if newest is None or _is_there(RunDir(newest)) or any(run.name == newest.name for run in runs):
        return
    raise ConfigError(
        f"Your newest run, {printable(newest.name)}, was in {printable(newest.parent.parent)}, which is gone.",
        "If its dataset was moved, name that with --dataset; or name another run.",
    )


def _named(text: str) -> Path:
    """A link that the user names is followed; those that are found in a folder of runs are not."""
    path = Path(text)
    return path.resolve() if path.is_symlink() else path


def _path(line: bytes) -> Path | None:
    try:
        return Path(decode_name(decode_json(line, Text)))
    except BadRecord:  # a line cut off by a full disk
        return None


def _shorten(file: Path) -> None:
    lines = read(file, most_bytes=_MOST_BYTES).splitlines(keepends=True)
    if len(lines) > 2 * _MOST_RECENT:
        with suppress(RunError):
            write_atomically(file, b"".join(lines[-_MOST_RECENT:]))


def _where(dataset: Path | None, state: Path | None) -> str:
    if dataset is None and state is None:
        return "among your recent ones"
    return f"in {printable(dataset if dataset is not None else state)}"


def oldest_first(runs: Iterable[RunDir]) -> list[RunDir]:
    """Runs by the time at which they were made."""
    return sorted(runs, key=lambda run: (_created_at(run), run.name))


def _created_at(run: RunDir) -> float:
    try:
        return decode_json(run.job_bytes(), _Brief).created_at
    except (RunError, BadRecord):
        return 0.0


def _best(runs: list[RunDir], where: str) -> RunDir:
    rated: list[tuple[RunDir, EpochEnded]] = []
    metric: MetricName = "macro_f1"
    for run in runs:
        with suppress(RunError):  # one damaged run does not hide the others
            state = read_state(run)
            if state.best is not None:
                rated.append((run, state.best))
                metric = shown_metric(state.metric)
    best = best_epoch([row for _, row in rated], metric)
    for run, row in rated:
        if row is best:
            return run
    raise ConfigError(f"No run {where} has metrics of a validation part yet.", "Name one, or use `last`.")


def _only(found: list[RunDir], text: str, runs: list[RunDir], where: str, hint: str) -> RunDir:
    if len(found) == 1:
        return found[0]
    name = printable(text)
    if not found and os.sep in text:
        if Path(text).exists():
            raise ConfigError(f"{name} is a file, not the folder of a run.", _LIST_HINT)
        raise ConfigError(f"There is no folder {name}.", _LIST_HINT)
    if not found:
        near = difflib.get_close_matches(text, [run.name for run in runs], n=1)
        hint = did_you_mean(near) or hint
        raise ConfigError(f"There is no run called {name} {where}.", hint)
    names = ", ".join(printable(run.path) for run in found[-_NAMED:])
    if len(found) > _NAMED:
        names += f" and {len(found) - _NAMED:,} more"
    raise ConfigError(
        f"{len(found)} runs {where} begin with {name}: {names}.", "Name more of it, or the folder."
    )
