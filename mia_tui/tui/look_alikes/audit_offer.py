"""When an audit is due: after many labels by pages, since errors that pages made in the same way look right."""

from mia_tui.tui.controller.label_controller import LabelController

MANY_PAGES, MANY_LABELS = 10, 200


class AuditOffer:
    """Counts the labels that pages of one dataset have given since the last audit of labels.

    Args:
        controller: The dataset.
    """

    def __init__(self, controller: LabelController) -> None:
        self._controller = controller
        self._pages = 0  # since an audit was offered last
        self._labels: int | None = None  # likewise; None before those of earlier days are counted

    async def taken(self, labelled: int) -> int:
        """A page was taken; returns how many labels it is time to audit, else 0.

        Args:
            labelled: Images that it has labelled.

        Raises:
            StoreError: If labels.db cannot be read.
        """
        self._pages += 1
        self._labels = await self._count() if self._labels is None else self._labels + labelled
        if self._pages < MANY_PAGES and self._labels < MANY_LABELS:
            return 0
        expected, self._pages, self._labels = self._labels, 0, 0
        found = await self._count()
        return found if 2 * found >= expected else 0  # else some were audited or undone meanwhile

    async def _count(self) -> int:
        return await self._controller.store_thread.read(lambda store: store.page_labels_unaudited()) or 0
