"""Which images were on the screen as tiles, and what was suggested for them then: only those are taken at once."""

from collections.abc import Mapping

from mia_tui.dataset.model import ImageKey

_READ_S = 0.15  # so long tiles are on screen before they count as seen


class SeenImages:
    """Images that a person has seen as tiles since the dataset was opened."""

    def __init__(self) -> None:
        self._seen: dict[ImageKey, int] = {}
        self._shown: dict[ImageKey, int] = {}
        self._since: dict[ImageKey, float] = {}

    def look(self, shown: Mapping[ImageKey, int], now: float) -> None:
        """These tiles are on the screen now, and no others.

        Args:
            shown: Id of the class that is suggested for each, 0 for none.
            now: In seconds of any monotonic clock.
        """
        for key, class_id in self._shown.items():
            if now - self._since[key] >= _READ_S:
                self._seen[key] = class_id
        self._since = {
            key: self._since[key] if self._shown.get(key) == class_id else now
            for key, class_id in shown.items()
        }
        self._shown = dict(shown)

    @property
    def keys(self) -> list[ImageKey]:
        """The images that were seen, in the order in which they were first."""
        return list(self._seen)

    def was_seen(self, key: ImageKey, class_id: int) -> bool:
        """Whether an image was seen with this class as what was suggested last."""
        return self._seen.get(key) == class_id
