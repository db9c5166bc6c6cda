"""Small runs in this process or another, for the tests of training."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import torch

from mia_tui.config.check import make_config
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.events import Event, Phase
from mia_tui.runs.record.layout import RunDir
from mia_tui.worker import AttemptResult, work

Action = Callable[[], object]
Look = Callable[[Event], None]

# A network of 32 pixels with everything on that draws random numbers.
EVERYTHING = {
    "backbone": "timm:test_resnet",  # half a million parameters, batch norm, dropout
    "width": 32,
    "height": 32,
    "epochs": 3,
    "batch_size": 8,
    "drop_rate": 0.2,
    "schedule": "plateau",
    "plateau_patience": 1,
    "early_stop": 5,
    "ema_decay": 0.9,
    "rotate90": 0.5,
    "blur": 0.4,
    "piecewise_affine": 0.3,
    "dropout": 0.3,
    "affine": 0.5,
    "resized_crop": 0.5,
    "colour_jitter": 0.5,
    "stain_jitter": 0.5,
    "trivial_augment": 0.5,
    "erasing": 0.5,
    "mixup": 0.5,
    "cutmix": 0.5,
    "threads": 1,
    "precision": "fp32",
}


def make_run(dataset: Path, **settings: object) -> RunDir:
    """A run that nobody has worked on yet."""
    config = make_config(flags={**EVERYTHING, **settings})
    return prepare_training(read_dataset(dataset, follow=True), config).create()


def train(
    run: RunDir,
    *,
    stop_after: tuple[int, int] | None = None,
    on_event: Look = lambda event: None,
) -> tuple[AttemptResult, list[Event]]:
    """Work on a run in this process; ask it to stop once (epoch, step) was told."""
    events: list[Event] = []

    def observe(event: Event) -> None:
        events.append(event)
        on_event(event)
        if stop_after is not None and (getattr(event, "epoch", 0), getattr(event, "step", 0)) == stop_after:
            run.stop.touch()

    return work(run, foreground=False, observe=observe), events


def at(kind: type[Event], action: Action, **wanted: object) -> Look:
    """Do something once, at the first event of a kind with these fields."""
    done: list[bool] = []

    def look(event: Event) -> None:
        fits = isinstance(event, kind) and all(
            getattr(event, name) == value for name, value in wanted.items()
        )
        if fits and not done:
            done.append(True)
            action()

    return look


def both(*looks: Look) -> Look:
    """All of them, one after the other."""

    def look(event: Event) -> None:
        for one in looks:
            one(event)

    return look


def soon(action: Action) -> Action:
    """The same in another thread, a little later: the run waits meanwhile."""
    return lambda: threading.Timer(0.2, action).start()


def waits(events: list[Event]) -> list[str]:
    """What a run said that it waits for."""
    return [event.message for event in events if isinstance(event, Phase) and event.name == "waiting"]


def last_weights(run: RunDir) -> dict[str, torch.Tensor]:
    """The weights in last.pt, as trained and as averaged."""
    learner = torch.load(run.last_checkpoint, weights_only=True)["learner"]
    averaged = {f"ema.{name}": value for name, value in (learner["ema"] or {}).items()}
    return {**learner["model"], **averaged}


def assert_same_weights(run: RunDir, other: RunDir) -> None:
    """Equal to the bit."""
    found, wanted = last_weights(run), last_weights(other)
    assert found.keys() == wanted.keys()
    for name in found:
        assert torch.equal(found[name], wanted[name]), name


def start_worker(run: RunDir, setup: str = "") -> subprocess.Popen[bytes]:
    """A worker of its own that saves after every epoch; `setup` is Python run before it starts."""
    code = (
        "import sys, mia_tui.engine.training.train as train, mia_tui.worker as worker\n"
        "train.SAVE_EVERY_S = 0.0\ntrain.EMIT_EVERY_S = 0.0\n"
        f"{setup}\n"
        "sys.argv = ['worker', sys.argv[1]]\nsys.exit(worker.main())"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(run.path)])
