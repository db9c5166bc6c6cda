"""Messages between the form and the helper that times a training: one JSON object a line."""

from typing import Annotated

import msgspec

from mia_tui.decoding import Text
from mia_tui.runs.machine.step_times import Seconds
from mia_tui.runs.worker.helper import encode_line
from mia_tui.runs.worker.preview_messages import ImagesRequest, with_names
from mia_tui.text import decode_name, encode_name

STEP_TIMER_MODULE = "mia_tui.step_timer"


class TimingRequest(ImagesRequest, frozen=True):
    """A training that is to be timed, with some of its images.

    Of the settings network, input, batch and device are used; the weights are random ones.

    Attributes:
        classes: Their number.
    """

    classes: Annotated[int, msgspec.Meta(ge=2)]


class TimingAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What some steps took, or why there are none.

    Attributes:
        train_s: Seconds for an image in a step of the training.
        validate_s: Seconds for an image in the validation.
        read_s: Seconds until an image is read, one after the other.
        device: Where they were computed, such as `CPU, 2 threads`.
        is_busy: Whether other programs slowed it down.
        error: A sentence; "" if there is no error.
    """

    train_s: Seconds = 0.0
    validate_s: Seconds = 0.0
    read_s: Seconds = 0.0
    device: Text = ""
    is_busy: bool = False
    error: str = ""


def encode_timing(request: TimingRequest) -> bytes:
    """A request as a line."""
    config = msgspec.structs.replace(request.config, val=None, weights="none")
    return encode_line(with_names(msgspec.structs.replace(request, config=config), encode_name))


def decode_timing(line: bytes) -> TimingRequest:
    """The request in a line."""
    return with_names(msgspec.json.decode(line, type=TimingRequest), decode_name)


def decode_timing_answer(line: bytes) -> TimingAnswer:
    """The answer in a line."""
    return msgspec.json.decode(line, type=TimingAnswer)
