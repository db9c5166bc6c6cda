"""The trials of a training and the settings chosen by them: trials.jsonl in the run's folder.

A line for each trial that is done, in their order, and a last one for the choice. The file is replaced as a whole, so
a kill costs the trial in progress at most. As soon as there is a choice, the job of the run has the chosen settings
(`RunDir.job`) and no trials any more: whatever reads the job, repeats or resumes it sees an ordinary training.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from mia_tui.config.train import TrainConfig
from mia_tui.config.train.run import TUNABLE
from mia_tui.decoding import BadRecord, Count, Elapsed, JsonReader, Text, check
from mia_tui.disk_errors import disk_error
from mia_tui.files import read
from mia_tui.runs.disk import write_atomically

TRIALS = "trials.jsonl"

MOST_JUDGED = 5000
"""Images that a trial is judged on at most."""

MOST_LOSS = 20.0
"""A loss is never larger: that of an image whose class was given a probability of two in a billion."""

_MOST_BYTES = 1 << 26

Tuned = Annotated[float, Meta(ge=0.0, le=1e6)]
_Loss = Annotated[float, Meta(ge=0.0, le=MOST_LOSS)]
_Config = TypeVar("_Config", bound=TrainConfig)


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A short training, judged on images that it did not learn from.

    Attributes:
        number: From 1; the first one has the settings that the run would have without trials.
        settings: The settings that are tried, by name; epochs are those of the whole training.
        epochs: Epochs of the trial.
        score: Mean loss of the images, at the temperature that fits them best; the less, the better.
        gain: How much less that is than in the first trial.
        error: Standard error of the gain, over groups of images that belong together.
        accuracy: Share of the images that is right.
        images: How many there are.
        seconds: Time it took.
    """

    number: Count
    settings: dict[Text, Tuned]
    epochs: Count
    score: _Loss
    gain: Annotated[float, Meta(ge=-MOST_LOSS, le=MOST_LOSS)]
    error: Annotated[float, Meta(ge=0.0, le=MOST_LOSS)]
    accuracy: Annotated[float, Meta(ge=0.0, le=1.0)]
    images: Count
    seconds: Elapsed


class DoneTrial(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="trial"):
    """A trial with the loss of each image, which later ones are compared with."""

    trial: Trial
    losses: Annotated[list[_Loss], Meta(max_length=MOST_JUDGED)]


class TrialsChoice(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="choice"):
    """What was chosen.

    Attributes:
        number: The trial whose settings they are.
        settings: The settings.
        trials: How many trials there were.
        seconds: Time they took.
        why: A sentence.
    """

    number: Count
    settings: dict[Text, Tuned]
    trials: Count
    seconds: Elapsed
    why: Text


_LINE: JsonReader[DoneTrial | TrialsChoice] = JsonReader(DoneTrial | TrialsChoice)  # type: ignore[arg-type]


def read_trials(folder: Path, *, root: Path) -> tuple[list[DoneTrial], TrialsChoice | None]:
    """The trials of a run that are done, and the choice once there is one.

    A line that is damaged, or has settings that no training can have, is none, and so are those behind it.

    Args:
        folder: Of the run.
        root: As for `files.open_in_place`.

    Raises:
        RunError: If the disk does not answer.
    """
    done: list[DoneTrial] = []
    try:
        lines = read(folder / TRIALS, root=root, most_bytes=_MOST_BYTES).splitlines()
    except FileNotFoundError:
        return done, None
    except OSError as error:
        raise disk_error(error, folder / TRIALS) from error
    for line in lines:
        try:
            record = _LINE.decode(line)
        except BadRecord:
            break
        if isinstance(record, TrialsChoice):
            return done, record if are_possible(record.settings) else None
        trial = record.trial
        is_whole = trial.number == len(done) + 1 and len(record.losses) == trial.images
        if not is_whole or trial.settings.keys() != set(TUNABLE) or not are_possible(trial.settings):
            break
        done.append(record)
    return done, None


def write_trials(
    folder: Path, done: Sequence[DoneTrial], choice: TrialsChoice | None = None, *, root: Path
) -> None:
    """Replace the file; the rest is as for `read_trials`."""
    records: list[DoneTrial | TrialsChoice] = [*done, *([] if choice is None else [choice])]
    write_atomically(
        folder / TRIALS, b"".join(msgspec.json.encode(record) + b"\n" for record in records), root=root
    )


def with_settings(config: TrainConfig, settings: Mapping[str, float]) -> TrainConfig:
    """Settings of a training with the chosen ones, and without trials."""
    return msgspec.structs.replace(config, **_as_fields(settings), trials=0)


def are_possible(settings: Mapping[str, float]) -> bool:
    """Whether a training can have these settings."""
    try:
        check(_as_fields(settings), TrainConfig)
    except BadRecord:
        return False
    return True


def _as_fields(settings: Mapping[str, float]) -> dict[str, float | int]:
    kinds: dict[str, type[float] | type[int]] = {"epochs": int}
    return {name: kinds.get(name, float)(value) for name, value in settings.items() if name in TUNABLE}


def with_choice(config: TrainConfig, folder: Path, *, root: Path) -> TrainConfig:
    """The settings of a run as they are by now: the chosen ones, if its trials are done.

    Raises:
        RunError: As for `read_trials`.
    """
    if not config.trials:
        return config
    choice = read_trials(folder, root=root)[1]
    return config if choice is None else with_settings(config, choice.settings)


def settings_words(settings: Mapping[str, float]) -> str:
    """Tried settings for people, such as `learning rate 0.003, weight decay 0.1, 40 epochs`."""
    words = []
    if "lr" in settings:
        words.append(f"learning rate {settings['lr']:.3g}")
    if "weight_decay" in settings:
        words.append(f"weight decay {settings['weight_decay']:.3g}")
    if "epochs" in settings:
        words.append(f"{settings['epochs']:,.0f} epochs")
    return ", ".join(words)
