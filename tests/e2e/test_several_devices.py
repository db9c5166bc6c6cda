"""Trainings and predictions in several processes: as in one, killed, resumed with other numbers, stopped."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from disc_support import make_discs
from patience import LONGEST_S
from program_support import program
from training_support import EVERYTHING, assert_same_weights, at, last_weights, make_run, train

from mia_tui.engine.parallel.launching import RANK_MODULE
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.events import EpochEnded, Event, Warned
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.worker import AttemptResult

pytestmark = pytest.mark.e2e

EPOCHS = 10
# Three steps an epoch, the last of which has images for one process alone; no batch norm, which would know of each
# process's own part of a batch only.
PLAIN = {
    "backbone": "timm:test_vit2",
    "width": 64,
    "height": 64,
    "weights": "none",
    "epochs": EPOCHS,
    "batch_size": 13,
    "drop_rate": 0.0,
    "ema_decay": 0.0,
    "schedule": "cosine",
    "early_stop": 0,
    "class_weights": "inverse",
    "mixup": 0.5,
    "val_fraction": 0.2,
    "device": "cpu",
    "cache": "none",
}


@dataclass(frozen=True)
class Chain:
    """A run in one process, and the same one in two, three and again one, each but the last of which was killed."""

    alone: RunDir
    run: RunDir
    results: list[AttemptResult]
    events: list[list[Event]]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    threads = torch.get_num_threads()
    discs = make_discs(tmp_path_factory.mktemp("several") / "discs")
    (discs / "red" / "cell-3.png").write_bytes(b"no picture")
    alone = make_run(discs, **PLAIN)
    first, its_events = train(alone)
    run = make_run(discs, **PLAIN, devices="2")
    found = [train(run, on_event=at(EpochEnded, lambda: _kill(1), epoch=7))]
    run.put_devices("3")
    found.append(train(run, on_event=at(EpochEnded, lambda: _kill(0), epoch=9)))
    run.put_devices("1")
    found.append(train(run))
    torch.set_num_threads(threads)
    yield Chain(
        alone, run, [first, *(result for result, _ in found)], [its_events, *(events for _, events in found)]
    )


def test_the_loss_of_several_processes_is_that_of_one(chain: Chain) -> None:
    """Twenty steps with two processes, and as many with three."""
    wanted = _losses(chain.events[0])
    assert list(wanted) == list(range(1, EPOCHS + 1))
    for events in chain.events[1:]:
        for epoch, losses in _losses(events).items():
            assert losses == pytest.approx(wanted[epoch], abs=1e-4)
    assert len(_losses(chain.events[1])) == 7  # 21 steps
    assert len(_losses(chain.events[2])) >= 7


def test_their_weights_and_figures_are_those_of_one(chain: Chain) -> None:
    found, wanted = last_weights(chain.run), last_weights(chain.alone)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], atol=1e-4, rtol=0)
    kept, expected = read_state(chain.run), read_state(chain.alone)
    assert kept.best is not None
    assert expected.best is not None
    assert kept.best.epoch == expected.best.epoch
    assert chain.run.confusion("best").read_bytes() == chain.alone.confusion("best").read_bytes()


def test_a_process_that_is_killed_ends_the_run_in_a_sentence_that_names_it(chain: Chain) -> None:
    says = [result.error.message for result in chain.results if result.error is not None]
    assert says == [
        "Process 2 of 2, on the CPU, was killed by SIGKILL, so the run cannot go on.",
        "Process 1 of 3, on the CPU, was killed by SIGKILL, so the run cannot go on.",
    ]
    assert [result.outcome for result in chain.results] == ["finished", "failed", "failed", "finished"]
    assert not _ranks()


def test_another_number_of_processes_is_told_to_change_the_last_bits(chain: Chain) -> None:
    says = [event.message for events in chain.events for event in events if isinstance(event, Warned)]
    assert [each.partition(":")[0] for each in says if "continues with" in each] == [
        "The run continues with 3 processes, after 2",
        "The run continues with 1 process, after 3",
    ]


def test_an_image_that_one_process_cannot_read_is_left_out_by_all(chain: Chain) -> None:
    for events in chain.events:
        ended = [event for event in events if isinstance(event, EpochEnded)]
        assert all(event.left_out is not None and event.left_out.count == 1 for event in ended)
    for events in chain.events[:2]:  # those that were resumed knew it
        assert sum(isinstance(event, Warned) and "left out" in event.message for event in events) == 1


def test_several_processes_stop_at_the_same_step_and_go_on_to_the_bit(tmp_path: Path) -> None:
    """With batch norm, dropout and a running mean of the weights."""
    settings = {**EVERYTHING, "devices": "2", "device": "cpu", "epochs": 8, "batch_size": 9}
    threads = torch.get_num_threads()
    discs = make_discs(tmp_path / "discs")
    unbroken, run = make_run(discs, **settings), make_run(discs, **settings)
    assert train(unbroken)[0].outcome == "finished"
    stopped, events = train(run, on_event=at(EpochEnded, run.stop.touch))
    assert stopped.outcome == "stopped"
    assert len(_losses(events)) < 8
    assert train(run)[0].outcome == "finished"
    torch.set_num_threads(threads)
    assert_same_weights(run, unbroken)


def test_processes_that_srun_started_make_one_run(tmp_path: Path) -> None:
    discs = make_discs(tmp_path / "discs")
    step = {
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_ID": "0",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_STEP_NODELIST": "localhost",
    }
    words = ["train", str(discs), "--backbone", "timm:test_vit2", "--size", "64", "--weights", "none"]
    words += ["--device", "cpu", "--epochs", "1", "--threads", "2", "--batch-size", "9"]
    started = [
        subprocess.Popen(
            program(*words),
            env={**os.environ, **step, "SLURM_PROCID": rank, "SLURM_LOCALID": rank},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    (first, first_says), (second, second_says) = (
        process.communicate(timeout=LONGEST_S) for process in started
    )
    assert [process.returncode for process in started] == [0, 0], (first_says, second_says)
    assert "Training on CPU, 2 processes of 1 thread" in first
    assert second == ""
    (run,) = list_runs(StateFolder(discs.with_name("discs.mia")))
    assert read_state(run).outcome == "finished"


def _losses(events: list[Event]) -> dict[int, tuple[float, float]]:
    """The losses of both parts in each epoch."""
    ended = [event for event in events if isinstance(event, EpochEnded)]
    return {event.epoch: (event.train["loss"], (event.val or event.train)["loss"]) for event in ended}


def _kill(rank: int) -> None:
    (process,) = (pid for pid, number in _ranks().items() if number == rank)
    os.kill(process, signal.SIGKILL)


def _ranks() -> dict[int, int]:
    """The processes of runs that this one works on: process number, and number among them."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_child = f"PPid:\t{os.getpid()}\n" in (folder / "status").read_text()
            if is_child and RANK_MODULE.encode() in (folder / "cmdline").read_bytes():
                variables = (folder / "environ").read_bytes().split(b"\0")
                found[int(folder.name)] = next(
                    int(each[5:]) for each in variables if each.startswith(b"RANK=")
                )
        except OSError:  # it has ended meanwhile
            continue
    return found
