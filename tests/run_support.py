"""Runs, events, small disks and child processes for the tests of mia_tui/runs."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from patience import LONGEST_S, Patience

import mia_tui
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.predict import PredictConfig
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import FRAME_NUMBERING
from mia_tui.paths import StateFolder
from mia_tui.runs.disk import replacing
from mia_tui.runs.prediction.suggestions import SuggestionLine, write_lines
from mia_tui.runs.record.events import (
    EpochEnded,
    EpochPlace,
    RunEnded,
    RunStarted,
    SettingsChosen,
    StepEnded,
    TrialEnded,
)
from mia_tui.runs.record.job import EvaluateJob, JobClass, PredictJob, Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.trials import Trial, TrialsChoice

SOURCES = Path(mia_tui.__file__).resolve().parent.parent


def make_job(
    state: Path, *, created_at: float = 1000.0, command: str = "mia-tui train x", **config: object
) -> TrainJob:
    return TrainJob(
        config=TrainConfig(**{"metric": "macro_f1", **config}),
        dataset=str(state.parent),
        state=str(state),
        classes=[JobClass(1, "cat"), JobClass(2, "dog")],
        threads=1,
        command=command,
        created_at=created_at,
        numbering=FRAME_NUMBERING,
        version="0.1.0",
    )


def make_run(
    state: Path,
    *,
    name: str = "resnet18",
    created_at: float | None = None,
    samples: Sequence[Sample] = (),
    **config: object,
) -> RunDir:
    job = make_job(state, created_at=time.time() if created_at is None else created_at, **config)
    return RunDir.create(StateFolder(state), job, samples, name=name)


def make_predict_job(state: Path, **config: object) -> PredictJob:
    settings = {"weights": "/w/best.safetensors", "digest": "00", "network": "resnet18", **config}
    return PredictJob(
        config=PredictConfig(**settings),
        dataset=str(state.parent),
        state=str(state),
        classes=[JobClass(0, "cat"), JobClass(1, "dog")],
        threads=1,
        command="mia-tui predict x",
        created_at=time.time(),
        numbering=FRAME_NUMBERING,
        version="0.1.0",
    )


def make_evaluate_job(state: Path, **config: object) -> EvaluateJob:
    settings = {
        "weights": "/w/best.safetensors",
        "digest": "00",
        "network": "resnet18",
        "split": "val",
        **config,
    }
    return EvaluateJob(
        config=EvaluateConfig(**settings),
        dataset=str(state.parent),
        state=str(state),
        classes=[JobClass(0, "cat"), JobClass(1, "dog")],
        threads=1,
        command="mia-tui evaluate x",
        created_at=time.time(),
        numbering=FRAME_NUMBERING,
        version="0.1.0",
    )


def make_suggestions(
    state: Path,
    what: Mapping[str, tuple[str, float | None]],
    *,
    network: str = "resnet18",
    classes: Sequence[str] = ("round", "flat"),
    dataset: Path | None = None,
    unfamiliar: Mapping[str, float] | None = None,
    unsure: Collection[str] = (),
) -> RunDir:
    """A finished prediction: a class and its probability for each of some images; `dataset` if not around `state`.

    `unfamiliar` is how far some of the images are from all classes, `unsure` which the network is unsure of.
    """
    run = RunDir.create(
        StateFolder(state), make_predict_job(state, network=network), name=f"predict-{network}"
    )
    run.predictions.mkdir()
    names = list(classes)
    far = unfamiliar or {}
    lines = [
        SuggestionLine(path, 0, names.index(name), sure, far.get(path), path in unsure)
        for path, (name, sure) in what.items()
    ]
    with replacing(run.suggestions) as file:
        write_lines(file, str(dataset or state.parent), names, lines)
    with EventLog(run.events) as log:
        log.append(started())
        log.append(RunEnded(t=time.time(), outcome="finished"))
    return run


def started(
    attempt: int = 1, resumed_at: EpochPlace | None = None, *, t: float = 1.0, steps: int = 10, total: int = 5
) -> RunStarted:
    return RunStarted(
        t=t,
        protocol=1,
        attempt=attempt,
        resumed_at=resumed_at,
        pid=1,
        host="here",
        boot_id="",
        versions={},
        device="cpu",
        total_epochs=total,
        steps_per_epoch=steps,
    )


def step(epoch: int, number: int, loss: float = 0.5) -> StepEnded:
    return StepEnded(
        t=2.0, epoch=epoch, step=number, loss=loss, lr=0.001, images_per_s=100.0, memory_bytes=1000
    )


def epoch_row(epoch: int, **val: float) -> EpochEnded:
    return EpochEnded(t=3.0, epoch=epoch, train={"loss": 1.0}, val=val or None, elapsed_s=epoch * 10.0)


def trial_ended() -> TrialEnded:
    trial = Trial(
        number=1,
        settings={"lr": 0.001, "epochs": 20},
        epochs=4,
        score=0.5,
        gain=0.0,
        error=0.0,
        accuracy=0.75,
        images=40,
        seconds=2.0,
    )
    return TrialEnded(t=1.6, trial=trial, of=12)


def settings_chosen() -> SettingsChosen:
    choice = TrialsChoice(number=1, settings={"lr": 0.001}, trials=4, seconds=8.0, why="None was better.")
    return SettingsChosen(t=1.7, choice=choice, total_epochs=40)


def finished(t: float = 9.0) -> RunEnded:
    return RunEnded(t=t, outcome="finished")


def python(code: str, *arguments: object, prefix: Sequence[str] = ()) -> list[str]:
    """A command that runs some Python with this package in reach."""
    head = (
        f"import sys; sys.path.insert(0, {str(SOURCES)!r}); sys.path.insert(0, {str(SOURCES / 'tests')!r})\n"
    )
    return [*prefix, sys.executable, "-c", head + textwrap.dedent(code), *map(str, arguments)]


def run_python(code: str, *arguments: object, prefix: Sequence[str] = ()) -> str:
    """What some Python prints; fails if it fails."""
    done = subprocess.run(
        python(code, *arguments, prefix=prefix),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def on_small_disk(
    folder: Path, code: str, *arguments: object, options: str = "size=1m", finally_: str = ""
) -> str:
    """Run Python with a small disk of its own mounted at `folder`; without root, in a user namespace.

    `finally_` is a shell command between mounting and running, such as one that makes the disk read-only.
    """
    folder.mkdir(exist_ok=True)
    script = f'mount -t tmpfs -o {options} none "$0" && {finally_ or "true"} && exec "$@"'
    rights = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
    return run_python(code, *arguments, prefix=["unshare", *rights, "sh", "-c", script, str(folder)])


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """For root, the rights of a user without rights who can reach a folder of this test; others have none anyway."""
    if os.geteuid():
        yield
        return
    for above in folder.parents:  # pytest's folders are closed to others
        if "pytest" in str(above) and above.stat().st_uid == 0:
            above.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until something holds; fails if it does not, after so many seconds of an idle machine."""
    patience = Patience(timeout_s)
    while not condition():
        assert not patience.is_over(), "waited in vain"
        time.sleep(0.01)
