"""Labelled files whose fingerprints are still to be taken, in idle time or before the dataset is closed."""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.tui.controller.store_thread import WriteResult

if TYPE_CHECKING:
    from mia_tui.tui.controller.label_controller import LabelController


class FingerprintQueue:
    """The files of one dataset that may have no fingerprint yet.

    Args:
        controller: The dataset.
    """

    def __init__(self, controller: "LabelController") -> None:
        self._controller = controller
        self._waiting: dict[str, None] = {}
        self._searched_to: ImageKey | None = None  # for files from earlier sessions; None: not at all
        self._has_searched = False
        self._is_written = False

    def __len__(self) -> int:
        """Files that are known already and that `take` will return."""
        return len(self._waiting)

    def written(self, result: WriteResult[Any]) -> None:
        """Something was written; what was labelled by it joins the queue."""
        self._waiting |= result.labelled
        self._is_written |= bool(result.changes)

    @property
    def has_more(self) -> bool:
        """Whether there may be more files for `take` to return."""
        return bool(self._waiting) or (self._is_written and not self._has_searched)

    async def take(self, most: int) -> list[str]:
        """Some of the files; each is returned once.

        Those labelled in this session come first, then those of earlier sessions, unless nothing was written in
        this one: fingerprints are not taken of a dataset that is only looked at.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        while not self._waiting and self.has_more:
            after = self._searched_to
            read = self._controller.store_thread.read
            found = await read(partial(LabelStore.files_without_hash, after=after))
            paths, self._searched_to = found if found is not None else ([], None)
            self._has_searched = self._searched_to is None
            self._waiting |= dict.fromkeys(paths)
        paths = list(islice(self._waiting, most))
        for path in paths:
            del self._waiting[path]
        return paths

    def give_back(self, paths: Sequence[str]) -> None:
        """These of the files that `take` returned are still to do."""
        self._waiting |= dict.fromkeys(paths)

    async def keep(self, facts: Sequence[tuple[ImageFile, str]]) -> None:
        """Keep fingerprints of files. This is no step that undo knows, and the status line does not mention it.

        Raises:
            StoreError: If it cannot be written.
        """
        root = self._controller.dataset

        def job(store: LabelStore) -> None:
            store.save_root(root)
            store.save_fingerprints(facts)

        await self._controller.write_silently(job)
