"""What a training is asked to do beside training once: to choose settings by trials, and to be repeated."""

import re
from collections.abc import Collection, Iterator

import msgspec

from mia_tui.config.train import TrainConfig
from mia_tui.config.train.run import tuned_settings
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.job import Repeat, TrainJob
from mia_tui.runs.record.new_folder import folder_stem

_SEEDS = 2**31


def without_given_trials(config: TrainConfig, given: Collection[str]) -> TrainConfig:
    """Settings whose trials leave alone what the user named; without trials where nothing is left to choose.

    Where the user named what is to be tuned, that holds: a value that was given is then only the one to begin with.
    """
    if not config.trials or "tune" in given:
        return config
    left = [name for name in tuned_settings(config) if name not in given]
    if not left:
        return msgspec.structs.replace(config, trials=0)
    return msgspec.structs.replace(config, tune=",".join(left))


def repeated_jobs(job: TrainJob, state: StateFolder) -> Iterator[tuple[str, TrainJob]]:
    """The jobs of all runs that a training asks for, each with the last part of its folder's name.

    They differ in their random numbers only; the split is the same.
    """
    config = job.config
    name, count = re.sub(r"^timm:", "", config.backbone), config.repeats
    if count == 1:
        yield name, job
        return
    words = _free_words(job, state, f"{name}-x{count}")
    group = folder_stem(job.created_at, words)
    for number in range(1, count + 1):
        seed = (config.seed + number - 1) % _SEEDS
        yield (
            f"{words}-{number:0{len(str(count))}d}",
            msgspec.structs.replace(
                job,
                config=msgspec.structs.replace(config, seed=seed, repeats=1),
                repeat=Repeat(group, number, count),
            ),
        )


def _free_words(job: TrainJob, state: StateFolder, words: str) -> str:
    """Words that no other group of this minute is named by."""
    names = [run.name for run in list_runs(state)]
    number, free = 1, words
    while any(name.startswith(folder_stem(job.created_at, free) + "-") for name in names):
        number += 1
        free = f"{words}.{number}"
    return free
