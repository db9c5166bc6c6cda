"""Writing files of labels: whole or not at all."""

import os
import secrets
from pathlib import Path

from mia_tui.errors import DataError
from mia_tui.paths import printable


def replace_file(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write a file under another name beside its place, then put it there at once.

    Args:
        path: The file.
        content: All of it.
        sync: Whether to wait until it is on the disk; not worth it for thousands of files that can be
            written again.

    Raises:
        DataError: If the folder is missing, read-only or full.
    """
    temporary = path.with_name(f".mia-tui-{secrets.token_hex(6)}")
    try:
        try:
            with temporary.open("xb") as file:
                file.write(content)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> DataError:
    """The sentence for a place that cannot be written to."""
    return DataError(
        f"{printable(path)} cannot be written: {error.strerror or error}.", "Name a place you may write to."
    )
