"""What was typed into a form and not started: kept for the next time, for as long as the app is there.

What starts from the settings of a run is not what was typed before, and does
not take its place.
"""

from pathlib import Path

from mia_tui.config.train import TrainConfig
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.training.form import Form

_drafts: dict[tuple[Path, Path | None], Form] = {}


class Draft:
    """The form of a dataset.

    Args:
        place: The dataset.
        base: Settings to start from, which are not kept; None takes up what was typed before, or the defaults.

    Attributes:
        form: To be typed into.
    """

    def __init__(self, place: OpenDataset, base: TrainConfig | None) -> None:
        self._key = (place.dataset.resolve(), place.state) if base is None else None
        kept = None if self._key is None else _drafts.get(self._key)
        self.form = kept or Form(base)

    def leave(self, *, is_started: bool) -> None:
        """The form is left: what was started is no draft any more."""
        if self._key is None:
            return
        if is_started:
            _drafts.pop(self._key, None)
        else:
            _drafts[self._key] = self.form


def forget_drafts() -> None:
    """Begin anew; for tests."""
    _drafts.clear()
