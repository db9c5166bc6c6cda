"""What a network says of the image on screen: the same as a prediction says, from a process that loads it once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from PIL import Image
from run_support import wait_for

from mia_tui.dataset.model import ImageKey
from mia_tui.engine.inference import predict
from mia_tui.image_predictor import ImagePredictor
from mia_tui.runs.machine.system import process_runs, start_time
from mia_tui.runs.prediction.create import create_prediction
from mia_tui.runs.prediction.one_image import (
    IMAGE_PREDICTOR_MODULE,
    ImageAnswer,
    ImageQuestion,
    decode_answer,
    decode_question,
    encode_answer,
    encode_question,
)
from mia_tui.runs.record.decision import Decision, remove_decision, write_decision
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import CARD_KEY
from mia_tui.runs.worker.helper import Helper
from mia_tui.worker import work

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")

CELL = "red/cell-0.png"


@pytest.fixture
def weights(unbroken: RunDir, tmp_path: Path) -> Path:
    """A weights file of the test's own."""
    return Path(shutil.copy(unbroken.best_weights, tmp_path / "best.safetensors"))


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were loaded, one after the other."""
    files: list[Path] = []
    load: Callable[[Path], object] = predict.load_model

    def note(path: Path) -> object:
        files.append(path)
        return load(path)

    monkeypatch.setattr(predict, "load_model", note)
    return files


def set_card(weights: Path, **changes: object) -> None:
    """Change what a weights file says of its network."""
    with safetensors.safe_open(weights, framework="numpy") as file:
        card = msgspec.json.decode(file.metadata()[CARD_KEY])
    tensors = safetensors.numpy.load_file(weights)
    text = msgspec.json.encode({**card, **changes}).decode()
    safetensors.numpy.save_file(tensors, weights, {CARD_KEY: text})


def ask(
    predictor: ImagePredictor,
    weights: Path,
    root: Path,
    path: str = CELL,
    frame: int = 0,
    why: str | None = None,
) -> ImageAnswer:
    line = encode_question(ImageQuestion(str(weights), str(root), path, frame, why))
    return decode_answer(predictor.answer_line(line))


@pytest.mark.parametrize("size", [(32, 32), (120, 45)])
def test_the_answer_is_that_of_a_prediction(discs: Path, weights: Path, size: tuple[int, int]) -> None:
    for path in discs.rglob("*.png"):
        Image.open(path).convert("RGB").resize(size).save(path)
    out = discs.with_name("p.jsonl")
    run = create_prediction(discs, weights, device="cpu", threads=1, out=str(out))
    assert work(run, foreground=False).outcome == "finished"
    predictor = ImagePredictor()
    rows = [msgspec.json.decode(line) for line in out.read_bytes().splitlines()]
    assert len(rows) == 36
    for row in rows[::5]:
        answer = ask(predictor, weights, discs, row["file"])
        assert answer.classes == ("blue", "red")
        assert answer.probabilities == pytest.approx([row["p_blue"], row["p_red"]], abs=1e-4)
        assert answer.best(1) == [(row["class"], pytest.approx(row["probability"], abs=1e-4))]


def test_the_answer_is_by_the_temperature_and_threshold_of_now(discs: Path, weights: Path) -> None:
    predictor = ImagePredictor()
    plain = ask(predictor, weights, discs)
    assert not plain.unsure
    known = {"part": "val", "images": 9, "coverage": 0.5, "accuracy": 1.0, "chosen_at": 1.0}
    write_decision(weights, Decision(temperature=4.0, threshold=0.99, **known))
    powers = np.array(plain.probabilities) ** 0.25
    warmer = ask(predictor, weights, discs)
    assert warmer.probabilities == pytest.approx(powers / powers.sum(), abs=1e-4)
    assert warmer.unsure is (max(warmer.probabilities) < 0.99)
    write_decision(weights, Decision(by_class={plain.best(1)[0][0]: 1.0}, **known))
    assert ask(predictor, weights, discs).unsure
    remove_decision(weights)
    assert ask(predictor, weights, discs) == plain


def test_a_frame_of_a_stack_is_an_image_of_its_own(discs: Path, weights: Path) -> None:
    first, second = (Image.open(discs / name).convert("RGB") for name in (CELL, "blue/cell-1.png"))
    first.save(discs / "stack.tif", save_all=True, append_images=[second])
    predictor = ImagePredictor()
    for frame, name in enumerate((CELL, "blue/cell-1.png")):
        found = ask(predictor, weights, discs, "stack.tif", frame)
        assert found.probabilities == ask(predictor, weights, discs, name).probabilities


def test_a_network_is_loaded_once_and_again_when_its_file_was_replaced(
    discs: Path, weights: Path, loaded: list[Path]
) -> None:
    predictor = ImagePredictor()
    for number in range(3):
        ask(predictor, weights, discs, f"red/cell-{number}.png")
    assert loaded == [weights]
    other = Path(shutil.copy(weights, weights.with_name("other.safetensors")))
    ask(predictor, other, discs)
    ask(predictor, weights, discs)
    assert loaded == [weights, other, weights]
    os.utime(weights, (1e9, 1e9))
    ask(predictor, weights, discs)
    assert len(loaded) == 4


def test_a_file_that_is_deleted_meanwhile_is_said_and_another_network_can_be_asked(
    discs: Path, weights: Path
) -> None:
    predictor = ImagePredictor()
    other = Path(shutil.copy(weights, weights.with_name("other.safetensors")))
    ask(predictor, weights, discs)
    weights.unlink()
    answer = ask(predictor, weights, discs)
    assert f"{weights} does not exist." in answer.failure and not answer.classes
    assert ask(predictor, other, discs).classes == ("blue", "red")


def test_a_file_that_is_no_network_of_ours_is_said(discs: Path, weights: Path) -> None:
    weights.write_bytes(b"no weights")
    assert "best.safetensors is damaged." in ask(ImagePredictor(), weights, discs).failure


def test_an_image_that_cannot_be_read_is_said_at_once_and_the_next_one_is_answered(
    discs: Path, weights: Path
) -> None:
    (discs / CELL).write_bytes(b"no image")
    predictor = ImagePredictor()
    assert "cell-0.png" in ask(predictor, weights, discs).problem
    assert "gone.png" in ask(predictor, weights, discs, "red/gone.png").problem
    assert "not there any more" in ask(predictor, weights, discs / "nowhere").problem
    assert ask(predictor, weights, discs, "red/cell-1.png").problem == ""


def test_a_network_without_finite_probabilities_is_said(discs: Path, weights: Path) -> None:
    with safetensors.safe_open(weights, framework="numpy") as file:
        card = {CARD_KEY: file.metadata()[CARD_KEY]}
    tensors = safetensors.numpy.load_file(weights)
    for name, values in tensors.items():
        if name.endswith("weight"):
            tensors[name] = np.full_like(values, 3e38)
    safetensors.numpy.save_file(tensors, weights, card)
    answer = ask(ImagePredictor(), weights, discs)
    assert answer.problem and not answer.probabilities


def test_names_that_are_not_utf_8_come_through() -> None:
    question = ImageQuestion("/w/\udcff.safetensors", "/data/\udcfe", "a\udcfd%.png", 3, "round\udcfc")
    assert decode_question(encode_question(question)) == question
    assert question.key == ImageKey("a\udcfd%.png", 3)
    answer = ImageAnswer(("round\udcfc", "100%"), (0.25, 0.75))
    assert decode_answer(encode_answer(answer)) == answer


def test_the_process_answers_the_same_and_ends_when_it_is_closed(discs: Path, weights: Path) -> None:
    answers: list[ImageAnswer] = []
    helper = Helper(
        IMAGE_PREDICTOR_MODULE,
        encode_question,
        decode_answer,
        on_answer=lambda _, answer: answers.append(answer),
        on_ready=lambda: None,
        on_end=lambda _: answers.append(ImageAnswer(problem="ended")),
    )
    question = ImageQuestion(str(weights), str(discs), CELL, 0)
    helper.ask(question)
    wait_for(lambda: bool(answers))
    [answer] = answers
    assert answer.probabilities == pytest.approx(
        ask(ImagePredictor(), weights, discs).probabilities, abs=1e-4
    )
    pid = helper.pid
    assert pid is not None
    began = start_time(pid)
    helper.close()
    wait_for(lambda: not process_runs(pid, began))


def test_asked_why_it_says_where_it_looks_for_the_likeliest_class_or_another(
    discs: Path, weights: Path
) -> None:
    predictor = ImagePredictor()
    assert ask(predictor, weights, discs).activation is None
    plain = ask(predictor, weights, discs, why="")
    assert plain.activation is not None and plain.activation.name == plain.best(1)[0][0]
    assert plain.activation.heat.box == (0.0, 0.0, 1.0, 1.0) and any(plain.activation.values)
    other = plain.best(2)[1][0]
    found = ask(predictor, weights, discs, why=other)
    assert found.activation is not None and found.activation.name == other
    assert found.probabilities == pytest.approx(plain.probabilities)


def test_a_class_that_the_network_does_not_know_has_no_map_but_an_answer(discs: Path, weights: Path) -> None:
    answer = ask(ImagePredictor(), weights, discs, why="green")
    assert answer.activation is None and answer.no_activation == "This network does not know green."
    assert answer.classes == ("blue", "red")


@pytest.mark.parametrize(
    ("geometry", "box"), [("crop", (0.25, 0.0, 0.75, 1.0)), ("letterbox", (0.0, 0.0, 1.0, 1.0))]
)
def test_the_map_lies_on_the_part_of_an_image_that_the_network_sees(
    discs: Path, weights: Path, geometry: str, box: tuple[float, float, float, float]
) -> None:
    Image.new("RGB", (128, 64), "red").save(discs / "wide.png")
    set_card(weights, geometry=geometry)
    found = ask(ImagePredictor(), weights, discs, "wide.png", why="red").activation
    assert found is not None and found.box == box
    assert found.rows / found.columns == {"crop": 1.0, "letterbox": 0.5}[geometry]
