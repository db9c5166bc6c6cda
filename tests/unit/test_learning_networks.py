"""Which network's features are learned from: that of a run, if it is better on images that it was not trained on."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from run_support import make_run
from test_live_learner import DIMS, listing, state

from mia_tui.active.comparison import compared_rows, share_right
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.features.layout import DEFAULT_NETWORK, TableDescription
from mia_tui.features.table import FeatureTable
from mia_tui.features.writer import FeatureRow, FeatureWriter
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.live.label_state import LabelState
from mia_tui.tui.live.networks import LearningNetworks, RunTables

IMAGES, VAL = 120, 40
NAMES = [f"image-{number:03}.png" for number in range(IMAGES)]
RUN = "resnet-of-a-run"
BLIND, SHARP = 0.0, 4.0


def write(
    root: Path,
    network: str,
    *,
    tells: float,
    tells_trained: float | None = None,
    run: RunDir | None = None,
    copies: bool = False,
    made: int = IMAGES,
) -> None:
    """Features that tell two kinds apart so well; the first images are the validation part of the run, if any."""
    random = np.random.default_rng(2)
    kinds = np.where(np.arange(IMAGES) % 2, 1.0, -1.0)[:, None] * random.normal(0, 1, DIMS)
    apart = np.full(IMAGES, tells)
    apart[VAL:] = tells if tells_trained is None else tells_trained
    rows = kinds * apart[:, None] + random.normal(0, 1, (IMAGES, DIMS))
    parts = ["val" if number < VAL else "train" for number in range(IMAGES)] if run else [""] * IMAGES
    digests = [f"{number % 80 if copies else number + 1:040x}" for number in range(IMAGES)]
    images = [
        FeatureRow(ImageKey(name), *_size_and_time(root / name), digest, part)
        for name, digest, part in zip(NAMES, digests, parts, strict=True)
    ]
    with FeatureWriter(root, network) as writer:
        writer.begin(
            TableDescription(
                id=network, name=run.name if run else "test", dims=DIMS, run=str(run.path) if run else ""
            )
        )
        writer.append(images[:made], rows[:made])


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat() if path.exists() else None
    return (1, 1) if status is None else (status.st_size, status.st_mtime_ns)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDir:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = make_run(tmp_path / "mia")
    run.best_weights.parent.mkdir(parents=True, exist_ok=True)
    run.best_weights.write_bytes(b"weights")
    return run


def labelled(images: Listing, *, among: range = range(IMAGES)) -> LabelState:
    return state(images, {row: 1 + row % 2 for row in among})


def networks(root: Path, chosen: str = "") -> LearningNetworks:
    table = FeatureTable.open(root)
    assert table is not None
    found = LearningNetworks(table, RunTables(root).newest_first, chosen)
    while found.in_use.grow():
        pass
    return found


def all_images() -> Listing:
    return listing(NAMES, sizes=[1] * IMAGES, mtimes_ns=[1] * IMAGES)


def test_the_better_network_is_used_and_it_is_said_why(tmp_path: Path, trained: RunDir) -> None:
    write(tmp_path, DEFAULT_NETWORK, tells=BLIND)
    write(tmp_path, RUN, tells=SHARP, run=trained)
    found, now = networks(tmp_path), labelled(all_images())
    assert found.choose(now)
    learning = found.in_use.learn(now)
    assert learning.network.run == trained.name and learning.network.weights == str(trained.best_weights)
    compared = learning.network.comparison
    assert compared is not None and compared.images == VAL and compared.right > 0.9 > compared.shipped_right
    assert learning.network.sentence == (
        f"Suggestions from run {trained.name}: {compared.right:.2f} right on its 40 validation images, "
        f"{compared.shipped_right:.2f} from the network that comes with the program."
    )
    assert not found.choose(now), "nothing is computed twice"


def test_what_a_network_knows_by_heart_does_not_make_it_better(tmp_path: Path, trained: RunDir) -> None:
    write(tmp_path, DEFAULT_NETWORK, tells=SHARP)
    write(tmp_path, RUN, tells=BLIND, tells_trained=9.0, run=trained)
    found, now = networks(tmp_path), labelled(all_images())
    assert found.choose(now)
    network = found.in_use.network
    assert network.run == "" and network.comparison is not None
    assert network.comparison.images == VAL and network.comparison.right < 0.8
    assert f"on the 40 validation images of run {trained.name}" in network.sentence


def test_copies_of_images_that_it_was_trained_on_do_not_count(tmp_path: Path, trained: RunDir) -> None:
    for network, run in ((DEFAULT_NETWORK, None), (RUN, trained)):
        write(tmp_path, network, tells=SHARP, run=run, copies=True)
    found = networks(tmp_path)
    found.choose(labelled(all_images()))
    comparison = found.in_use.network.comparison
    assert comparison is not None and comparison.images == 1 and "validation image" in comparison.why_not


@pytest.mark.parametrize("made", [0, 100])
def test_a_network_that_has_not_seen_all_images_is_not_used_yet(
    tmp_path: Path, trained: RunDir, made: int
) -> None:
    write(tmp_path, DEFAULT_NETWORK, tells=BLIND)
    write(tmp_path, RUN, tells=SHARP, run=trained, made=made)
    found, now = networks(tmp_path, RUN), labelled(all_images())
    found.choose(now)
    assert (
        found.in_use.network.run == "" and "has not looked at all images yet" in found.in_use.network.sentence
    )
    with FeatureWriter(tmp_path, RUN) as writer:
        description = writer.description
        assert description is not None
        writer.begin(description)
        rest = NAMES[made:]
        writer.append([FeatureRow(ImageKey(name), 1, 1) for name in rest], np.ones((len(rest), DIMS)))
    assert found.choose(now)
    assert found.in_use.network.run == trained.name and len(found.in_use.suggester) == IMAGES


def test_the_person_can_choose_the_other_network(tmp_path: Path, trained: RunDir) -> None:
    write(tmp_path, DEFAULT_NETWORK, tells=BLIND)
    write(tmp_path, RUN, tells=SHARP, run=trained)
    found, now = networks(tmp_path, DEFAULT_NETWORK), labelled(all_images())
    found.choose(now)
    assert found.in_use.network.run == "" and found.in_use.network.is_chosen
    assert found.in_use.network.sentence.endswith("You chose it.")
    for chosen, run in ((RUN, trained.name), (DEFAULT_NETWORK, ""), ("", trained.name)):
        found.chosen = chosen
        assert found.choose(now)
        assert found.in_use.network.run == run
        assert found.in_use.learn(now).features == IMAGES


def test_labels_are_judged_by_the_network_that_was_trained_on_none(tmp_path: Path, trained: RunDir) -> None:
    write(tmp_path, DEFAULT_NETWORK, tells=BLIND)
    write(tmp_path, RUN, tells=SHARP, run=trained)
    found, now = networks(tmp_path), labelled(all_images())
    found.choose(now)
    judge = found.untrained(now)
    assert judge is not found.in_use and judge.table.network.id == DEFAULT_NETWORK
    assert len(judge.suggester) == IMAGES and judge.places.tolist() == list(range(IMAGES))


def test_labels_that_it_knows_by_heart_do_not_say_how_sure_suggestions_are(
    tmp_path: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, DEFAULT_NETWORK, tells=BLIND)
    write(tmp_path, RUN, tells=SHARP, run=trained)
    asked: list[int] = []

    def spy(scores: NDArray[np.float32], positions: NDArray[np.int32], counts: NDArray[np.float32]) -> float:
        asked.append(len(positions))
        return 1.0

    monkeypatch.setattr("mia_tui.active.suggester.best_temperature", spy)
    found, images = networks(tmp_path, RUN), all_images()
    now = labelled(images)
    found.choose(now)
    learned = found.in_use.learn(now).learned
    assert learned is not None and (learned.labels, asked[-1]) == (IMAGES, VAL)
    found.in_use.learn(labelled(images, among=range(VAL, IMAGES)))
    assert asked[-1] == IMAGES - VAL, "where there are no others"


def test_a_run_that_was_deleted_is_not_used(tmp_path: Path, trained: RunDir) -> None:
    write(tmp_path, DEFAULT_NETWORK, tells=BLIND)
    write(tmp_path, RUN, tells=SHARP, run=trained)
    found, now = networks(tmp_path), labelled(all_images())
    found.choose(now)
    trained.best_weights.unlink()
    assert found.choose(now)
    assert found.in_use.network.run == "" and found.in_use.network.comparison is None


def test_images_of_one_group_do_not_answer_for_each_other() -> None:
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(30, dtype=np.int32), 4)
    features = np.repeat(random.normal(0, 1, (30, 64)), 4, axis=0).astype(np.float16)
    class_ids = np.repeat(random.integers(1, 3, 30), 4).astype(np.int32)
    asked = np.ones(120, np.bool_)
    assert share_right(features, class_ids, None, asked) > share_right(features, class_ids, groups, asked)


def test_of_very_many_labels_those_that_are_asked_about_are_compared_with_some_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mia_tui.active.comparison.MOST_LEARNED", 100)
    asked = np.arange(1000) % 20 == 0
    rows = compared_rows((np.arange(1000) % 3).astype(np.int32), asked)
    assert len(rows) == 100 and asked[rows].sum() == 50 and (np.diff(rows) > 0).all()
