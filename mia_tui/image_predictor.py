"""`python -m mia_tui.image_predictor`: what a trained network says of the image on screen, one image at a time.

A process of its own (`runs.worker.helper`), on the CPU, since a GPU may be needed by a training; its messages are in
`runs.prediction.one_image`. A network stays loaded until another one is asked, or its file changes. It answers by the
temperature and the threshold that are kept with it (`runs.record.decision`).
"""

import os
from pathlib import Path

import msgspec
import numpy as np

from mia_tui.config.predict import DecisionRule
from mia_tui.engine.inference.predict import Predictor
from mia_tui.errors import DecodeError, MiaError, RunError
from mia_tui.runs.prediction.one_image import (
    ActivationAnswer,
    ImageAnswer,
    ImageQuestion,
    decode_question,
    encode_answer,
)
from mia_tui.runs.record.decision import UNSURE, calibrated, decide, decision_file, read_decision, rule_of
from mia_tui.runs.worker.helper import answer_requests
from mia_tui.text import printable

# Two threads compute resnet18 at 224 pixels on two idle cores in 28 ms instead of 33 (in bf16), but beside programs
# that keep these busy in 156 instead of 71, and hold up a training more.
_THREADS = 1

_FileStamp = tuple[str, int, int, int]


class ImagePredictor:
    """Answers questions about images with the network that was asked last."""

    def __init__(self) -> None:
        self._network: Predictor | None = None
        self._stamp: _FileStamp | None = None
        self._rule = DecisionRule()
        self._rule_stamp: _FileStamp | None = None

    def answer_line(self, line: bytes) -> bytes:
        """Answer one request."""
        try:
            answer = self.answer(decode_question(line))
        except (MiaError, OSError, RuntimeError) as error:
            first_line = next(iter(str(error).splitlines()), type(error).__name__)
            answer = ImageAnswer(failure=printable(first_line))
        return encode_answer(answer)

    def answer(self, question: ImageQuestion) -> ImageAnswer:
        """What the network says of an image.

        Raises:
            CheckpointError: If its file is missing, damaged or not ours.
            RunError: If its threshold cannot be read.
        """
        network = self._load(Path(question.weights))
        prediction = network.predict_one(Path(question.root), question.key)
        if prediction.probabilities is None:
            return ImageAnswer(problem=prediction.problem or "")
        if not np.isfinite(prediction.probabilities).all():
            return ImageAnswer(problem="The network has no finite probabilities for this image.")
        names = tuple(item.name for item in network.card.classes)
        said = calibrated(prediction.probabilities[None], self._rule.temperature)
        answer = ImageAnswer(
            names,
            tuple(said[0].tolist()),
            remark=prediction.remark,
            unsure=bool(decide(self._rule, said, names)[0] == UNSURE),
        )
        return answer if question.why is None else _with_activation(answer, network, question, question.why)

    def _load(self, weights: Path) -> Predictor:
        stamp = _stamp_of(weights)
        rule_stamp = _stamp_of(decision_file(weights))
        is_new = self._network is None or stamp is None or stamp != self._stamp
        if is_new or rule_stamp != self._rule_stamp:
            self._rule, self._rule_stamp = rule_of(read_decision(weights)), rule_stamp
        if self._network is None or is_new:
            self._network = None  # two may not fit into memory
            self._network = Predictor(weights, device="cpu", threads=_THREADS)
            self._stamp = stamp
        return self._network


def _with_activation(
    answer: ImageAnswer, network: Predictor, question: ImageQuestion, why: str
) -> ImageAnswer:
    """The answer with where the network looks when it decides for a class."""
    wanted = why or answer.best(1)[0][0]
    if wanted not in answer.classes:
        return msgspec.structs.replace(
            answer, no_activation=f"This network does not know {printable(wanted)}."
        )
    try:
        heat = network.explain(Path(question.root), question.key, answer.classes.index(wanted))
    except (DecodeError, RunError) as error:
        return msgspec.structs.replace(answer, no_activation=error.message)
    found = ActivationAnswer(wanted, heat.values, heat.rows, heat.columns, heat.box)
    return msgspec.structs.replace(answer, activation=found)


def _stamp_of(path: Path) -> _FileStamp | None:
    """Tells whether a file was replaced; None if it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return os.fspath(path), stat.st_ino, stat.st_size, stat.st_mtime_ns


def main() -> None:
    """Answer the process that started this one."""
    answer_requests(ImagePredictor().answer_line)


if __name__ == "__main__":
    main()
