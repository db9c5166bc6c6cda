"""Images of a prediction that several processes share out, here as threads with a network that only names them."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mia_tui.dataset.model import ImageKey
from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.engine.inference.predict import Prediction
from mia_tui.engine.parallel import prediction as prediction_module
from mia_tui.engine.parallel.prediction import gather_other_types, predict_together
from mia_tui.engine.parallel.ranks import ALONE, Ranks


class RanksInThreads(Ranks):
    """Processes that are threads: what they gather is in a list of theirs."""

    def __init__(self, rank: int, meeting: threading.Barrier, shared: list[Any]) -> None:
        super().__init__(rank, len(shared))
        self._meeting, self._shared = meeting, shared

    def gather(self, value: Any) -> list[Any]:
        self._shared[self.rank] = value
        self._meeting.wait(60)
        found = list(self._shared)
        self._meeting.wait(60)
        return found


class NamingNetwork:
    """Says the number in an image's name, and remembers which it was given."""

    def __init__(self, stops_at: int | None = None) -> None:
        self.given: list[int] = []
        self.other_types: Counter[str] = Counter()
        self._stops_at = stops_at

    def predict(self, root: Path, keys: list[ImageKey], *, batch_size: int) -> Iterator[Prediction]:
        for key in keys:
            if int(key.path) == self._stops_at:
                raise WorkStopped
            self.given.append(int(key.path))
            self.other_types["float32"] += 1
            yield Prediction(key, np.array([float(key.path)]))


def in_threads(count: int, images: int, stops_at: int | None = None) -> list[SimpleNamespace]:
    meeting, shared = threading.Barrier(count), [None] * count
    done = [SimpleNamespace(said=None, stopped=False, network=NamingNetwork(stops_at)) for _ in range(count)]
    keys = [ImageKey(str(number), 0) for number in range(images)]

    def work(rank: int) -> None:
        ranks, mine = RanksInThreads(rank, meeting, shared), done[rank]
        try:
            answers = predict_together(ranks, mine.network, Path(), keys, batch_size=3)
            mine.said = [int(each.probabilities[0]) for each in answers]  # type: ignore[index]
        except WorkStopped:
            mine.stopped = True
        mine.network.total = gather_other_types(ranks, mine.network)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return done


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("images", [0, 1, 3, 7, 40])
def test_all_get_the_answers_in_order_and_each_image_is_computed_once(
    count: int, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_module, "_TOGETHER", 2)
    done = in_threads(count, images)
    assert all(each.said == list(range(images)) for each in done)
    assert sorted(number for each in done for number in each.network.given) == list(range(images))
    assert all(each.network.other_types.total() == images for each in done)


def test_a_request_to_stop_that_reaches_one_process_stops_all() -> None:
    assert [each.stopped for each in in_threads(2, 40, stops_at=20)] == [True, True]


def test_a_single_process_predicts_as_ever() -> None:
    network = NamingNetwork()
    keys = [ImageKey(str(number), 0) for number in range(5)]
    said = predict_together(ALONE, network, Path(), keys, batch_size=2)  # type: ignore[arg-type]
    assert [each.key for each in said] == keys
