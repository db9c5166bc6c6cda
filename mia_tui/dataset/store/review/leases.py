"""Leases: which images an open program is about to have labelled, so that others offer different ones.

A lease is taken for a few minutes on a handful of images. It forbids nothing:
whoever labels an image all the same labels it. It is not in the history.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store import rows
from mia_tui.dataset.store.edits import StoreEdits
from mia_tui.dataset.store.errors import as_store_errors
from mia_tui.dataset.store.migrations import REVIEWED_FROM, schema_version
from mia_tui.decoding import Time, check

LEASE_S = 180.0
"""How long a lease lasts; it is renewed while somebody labels."""

_MOST_S = 2 * LEASE_S  # a lease that is to last longer comes from a wrong clock
_LIVE = "until > :now AND until <= :now + :most"


@dataclass(frozen=True, slots=True)
class Lease:
    """That a program has an image in work; `until` is in Unix seconds, `holder` names one open program."""

    image: ImageKey
    holder: str
    annotator: str
    until: float


class StoreLeases(StoreEdits):
    """The leases of a `LabelStore`."""

    def leases(self, now: float | None = None) -> list[Lease]:
        """The leases that have not expired, of all programs."""
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return []
            found = rows.checked(
                self._db.execute(
                    f"""SELECT path, frame, holder, lease.annotator, until
                    FROM lease JOIN image ON image.id = image_id WHERE {_LIVE}""",
                    _limits(now),
                ),
                tuple[bytes, rows.StoredFrame, str, str, Time],
            )
            return [Lease(ImageKey(os.fsdecode(path), frame), *more) for path, frame, *more in found]

    def has_company(self, now: float | None = None) -> bool:
        """Whether somebody else has labelled something in the last minutes."""
        now = time.time() if now is None else now
        with as_store_errors(self.path):
            row = self._db.execute("SELECT at, annotator FROM change ORDER BY id DESC LIMIT 1").fetchone()
            if row is None:
                return False
            at, annotator = check(row, tuple[Time, str])
            return bool(annotator != self.annotator and now - LEASE_S < at <= now + LEASE_S)

    def take_leases(self, keys: Sequence[ImageKey], holder: str, now: float | None = None) -> list[Lease]:
        """Take leases on these images, and give up those that this holder has on others.

        An image on which another holder has a lease that has not expired is left to it. Within a transaction this
        costs no write to the disk of its own.

        Args:
            keys: The images.
            holder: Names the program, the same for all its leases.
            now: Unix seconds; the clock if left out.

        Returns:
            The leases of all others.

        Raises:
            StoreError: If the file cannot be written.
        """
        limits = _limits(now)
        until = limits["now"] + LEASE_S
        with self.transaction():
            self._db.execute(
                f"DELETE FROM lease WHERE holder = :holder OR NOT ({_LIVE})", {**limits, "holder": holder}
            )
            rows.make_images(self._db, keys)
            self._db.executemany(
                "INSERT INTO lease (image_id, holder, annotator, until) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (id, holder, self.annotator, until)
                    for id, _ in rows.images_with(self._db, list(keys), "id")
                ],
            )
            return [lease for lease in self.leases(limits["now"]) if lease.holder != holder]

    def release_leases(self, holder: str) -> None:
        """Give up all leases of a holder; nothing is written if it has none."""
        with as_store_errors(self.path):
            if schema_version(self._db) < REVIEWED_FROM:
                return
            has_some = self._db.execute("SELECT 1 FROM lease WHERE holder = ? LIMIT 1", (holder,)).fetchone()
        if has_some is not None:
            with self.transaction():
                self._db.execute("DELETE FROM lease WHERE holder = ?", (holder,))


def _limits(now: float | None) -> dict[str, float]:
    return {"now": time.time() if now is None else now, "most": _MOST_S}
