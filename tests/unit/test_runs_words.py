"""What is said of the images that epochs did without."""

import msgspec
import pytest
from run_support import epoch_row, started

from mia_tui.runs.list.words import left_out_sentences
from mia_tui.runs.record.events import EpochEnded, LeftOut
from mia_tui.runs.record.log import decode_event, encode_event
from mia_tui.runs.record.state import RunState
from mia_tui.text import fault_of


def row(epoch: int, count: int = 0, *, val: int = 0, first: str = "a") -> EpochEnded:
    if not count:
        return epoch_row(epoch)
    images = {
        f"{first}{number}.png": f"{first}{number}.png is not there any more." for number in range(count)
    }
    left_out = LeftOut(train=count - val, of_train=30, val=val, of_val=10, images=images)
    return msgspec.structs.replace(epoch_row(epoch), left_out=left_out)


def state_of(*rows: EpochEnded) -> RunState:
    state = RunState()
    state.apply_all([started(), *rows])
    return state


@pytest.mark.parametrize(
    ("path", "reason", "said"),
    [
        ("a/b.tif", "b.tif is cut short.", "a/b.tif is cut short"),
        ("b.tif", "b.tif is empty (0 bytes).", "b.tif is empty (0 bytes)"),
        ("a/b.tif", "The disk is away.", "a/b.tif (The disk is away)"),
        ("b.tif", "b.tiff is empty.", "b.tif (b.tiff is empty)"),
    ],
)
def test_why_a_file_cannot_be_used_is_said_with_its_path_once(path: str, reason: str, said: str) -> None:
    assert fault_of(path, reason) == said


def test_epochs_in_a_row_that_did_without_the_same_images_are_one_spell() -> None:
    state = state_of(
        row(1), row(2), row(3, 12, val=3), row(4, 12, val=3), row(5), row(6, 1), row(7, 1, first="b")
    )
    assert [(spell.first, spell.last, spell.images.count) for spell in state.left_out] == [
        (3, 4, 12),
        (6, 6, 1),
        (7, 7, 1),
    ]
    assert left_out_sentences(state) == [
        "12 images were left out of epochs 3-4 (9 of 30 to train on, 3 of 10 to validate): "
        "a0.png, a1.png, a2.png, a3.png, a4.png and 7 more; a0.png is not there any more.",
        "1 image was left out of epoch 6 (1 of 30 to train on): a0.png is not there any more.",
        "1 image was left out of epoch 7 (1 of 30 to train on): b0.png is not there any more.",
    ]


def test_many_spells_are_said_in_few_lines() -> None:
    state = state_of(*[row(epoch, 2 if epoch % 2 else 0) for epoch in range(1, 201)])
    said = left_out_sentences(state)
    assert len(said) == 6
    assert said[0].startswith("Images were left out 95 times before that, too")
    assert "epoch 199" in said[-1]


def test_a_name_cannot_steer_a_terminal() -> None:
    hostile = row(1, 1, first="%1b[2J\x1b[31m")
    assert all("\x1b" not in sentence for sentence in left_out_sentences(state_of(hostile)))


def test_an_epoch_of_an_earlier_version_says_nothing_of_images() -> None:
    line = encode_event(epoch_row(1)).replace(b',"left_out":null', b"")
    event = decode_event(line)
    assert b"left_out" not in line and isinstance(event, EpochEnded) and event.left_out is None
    assert decode_event(encode_event(row(2, 3))) == row(2, 3)
