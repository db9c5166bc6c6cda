"""Files about a dataset in the user's cache folder: each can be deleted at any time, and only costs time then."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from mia_tui.files import FORGOTTEN_S, add_folder, new_content, remove_leftovers
from mia_tui.paths import user_cache

MOST_CACHE_BYTES = 1 << 31

_PRIVATE = 0o600


def cache_file(root: Path, kind: str, suffix: str) -> Path | None:
    """The file of a dataset in the user's cache folder; None if there is no such folder.

    Args:
        root: The dataset's folder.
        kind: Name of a folder in the cache folder.
        suffix: Ending of the file, without the dot.
    """
    name = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=16).hexdigest()
    try:
        return user_cache() / kind / f"{name}.{suffix}"
    except OSError:
        return None


def write_cache(file: Path, *content: bytes | memoryview) -> None:
    """Replace a file of the user's folders by these parts, as a whole; errors are ignored."""
    folder = file.parent
    with suppress(OSError):
        add_folder(folder)
        with new_content(file, root=folder.parent, sync=False, mode=_PRIVATE) as new:
            new.writelines(content)
        remove_leftovers(folder, root=folder.parent, older_than_s=FORGOTTEN_S)
