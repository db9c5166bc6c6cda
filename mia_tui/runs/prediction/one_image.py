"""What a network says of one image: messages between the app and its helper, and which network is asked."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.config.predict import NetworkConfig
from mia_tui.dataset.images.screen.heat import HeatMap
from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import Frame, Text
from mia_tui.errors import MiaError
from mia_tui.runs.list.networks import trainings_with_weights
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card
from mia_tui.runs.worker.helper import encode_line
from mia_tui.runs.worker.liveness import run_status
from mia_tui.text import decode_name, encode_name

IMAGE_PREDICTOR_MODULE = "mia_tui.image_predictor"


class ImageQuestion(msgspec.Struct, frozen=True):
    """An image, and the network that is asked about it.

    Attributes:
        weights: The network's file.
        root: Folder of the images.
        path: Of the image, relative to `root`.
        frame: In a stack, from 0.
        why: Name of the class for which to say where the network looks; empty for the one it finds most probable;
            None if that is not asked.
    """

    weights: Text
    root: Text
    path: Text
    frame: Frame
    why: Text | None = None

    @property
    def key(self) -> ImageKey:
        return ImageKey(self.path, self.frame)


class ActivationAnswer(msgspec.Struct, frozen=True):
    """Where a network looks in an image when it decides for a class, as `HeatMap`.

    Attributes:
        name: Of the class.
    """

    name: Text
    values: bytes
    rows: Annotated[int, Meta(ge=1, le=4096)]
    columns: Annotated[int, Meta(ge=1, le=4096)]
    box: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        self.heat  # noqa: B018  # refuses what is none

    @property
    def heat(self) -> HeatMap:
        return HeatMap(self.values, self.rows, self.columns, self.box)


class ImageAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The probabilities of the network's classes, or why there are none.

    Attributes:
        classes: Names, in the order of the network.
        probabilities: Of each class, 0 to 1.
        problem: Why this image has no answer, a sentence; empty if it has one.
        failure: Why the network can be asked about no image, a sentence; empty if it can.
        remark: Why the answer is less certain than usual; empty for nothing.
        unsure: Whether the most probable class is below its threshold.
        activation: Where the network looks; None if that was not asked.
        no_activation: Why that was asked and is not known, a sentence; empty for nothing.
    """

    classes: tuple[Text, ...] = ()
    probabilities: tuple[Annotated[float, Meta(ge=0.0, le=1.001)], ...] = ()
    problem: Text = ""
    failure: Text = ""
    remark: Text = ""
    unsure: bool = False
    activation: ActivationAnswer | None = None
    no_activation: Text = ""

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.probabilities):
            raise ValueError("each class needs a probability")

    def best(self, most: int) -> list[tuple[str, float]]:
        """The most probable classes, at most so many, with their probabilities."""
        pairs = zip(self.classes, self.probabilities, strict=True)
        return sorted(pairs, key=lambda pair: pair[1], reverse=True)[:most]


def encode_question(question: ImageQuestion) -> bytes:
    """A question as a line; names of files keep their bytes."""
    return encode_line(_with_names(question, encode_name))


def decode_question(line: bytes) -> ImageQuestion:
    """The question in a line."""
    return _with_names(msgspec.json.decode(line, type=ImageQuestion), decode_name)


def encode_answer(answer: ImageAnswer) -> bytes:
    """An answer as a line; names of classes keep their bytes."""
    return encode_line(_classes_with_names(answer, encode_name))


def decode_answer(line: bytes) -> ImageAnswer:
    """The answer in a line."""
    return _classes_with_names(msgspec.json.decode(line, type=ImageAnswer), decode_name)


def network_to_ask(dataset: Path, state: Path | None, shown: Sequence[RunDir]) -> Path | None:
    """The weights of the network whose results or suggestions are shown, else of the newest training; None without.

    Of trainings, those that have finished come first: the others may still get better.

    Args:
        dataset: Folder of images.
        state: The folder given with --state.
        shown: Runs of which the app shows something, the first one first: trainings, evaluations or predictions.

    Raises:
        MiaError: If the folder of runs cannot be read.
    """
    for run in shown:
        if (weights := _weights_of(run)) is not None:
            return weights
    newest = None
    for run in trainings_with_weights(dataset, state):
        if _has_finished(run):
            return run.best_weights
        newest = newest or run
    return None if newest is None else newest.best_weights


def _weights_of(run: RunDir) -> Path | None:
    """The weights of a run's network; None if they are gone, or its suggestions were imported."""
    with suppress(MiaError):
        config = run.job().config
        weights = Path(config.weights) if isinstance(config, NetworkConfig) else run.best_weights
        read_card(weights)
        return weights
    return None


def _has_finished(run: RunDir) -> bool:
    try:
        return run_status(run) == "finished"
    except OSError:  # its folder may not be read
        return False


def _with_names(question: ImageQuestion, change: Callable[[str], str]) -> ImageQuestion:
    return msgspec.structs.replace(
        question,
        weights=change(question.weights),
        root=change(question.root),
        path=change(question.path),
        why=None if question.why is None else change(question.why),
    )


def _classes_with_names(answer: ImageAnswer, change: Callable[[str], str]) -> ImageAnswer:
    found = answer.activation
    return msgspec.structs.replace(
        answer,
        classes=tuple(map(change, answer.classes)),
        activation=None if found is None else msgspec.structs.replace(found, name=change(found.name)),
    )
