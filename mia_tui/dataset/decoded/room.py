"""How much of the disk decoded images may take: what the user allows, and never more than half of what is free."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mia_tui.config.user.settings import UserSettings, load_setting
from mia_tui.dataset.cache_room import bytes_of, make_room
from mia_tui.dataset.decoded.layout import DecodedFolder, all_decoded, decoded_place
from mia_tui.errors import ConfigError
from mia_tui.paths import user_config_file

BYTES_PER_GB = 10**9

_SHARE = 0.5


@dataclass(frozen=True)
class DecodedUse:
    """What decoded images take.

    Attributes:
        place: The folder that all of them are in.
        used: Bytes.
        most: Bytes that they may take.
        datasets: How many datasets they are of.
    """

    place: Path
    used: int
    most: int
    datasets: int


def decoded_use() -> DecodedUse:
    """What the decoded images of all datasets take, and may take.

    Raises:
        OSError: If the user's cache folder cannot be read.
    """
    place, folders = decoded_place(), all_decoded()
    used = sum(map(bytes_of, folders))
    most = min(int(_allowed_gb() * BYTES_PER_GB), used + int(_SHARE * free_bytes(place)))
    return DecodedUse(place, used, most, len({folder.path.parent for folder in folders}))


def room_for(folder: DecodedFolder, need: int) -> int:
    """Bytes that may be added to a folder, which makes room for them: folders not used for longest are removed.

    Args:
        folder: Of the images of a run.
        need: Bytes of all of them.

    Returns:
        0 if they have no room together: a part of them would help no run.

    Raises:
        OSError: If the user's cache folder cannot be read.
    """
    most = decoded_use().most
    if need > most:
        return 0
    here = bytes_of(folder)
    make_room(all_decoded(), most, keep=folder, wanted_bytes=max(0, need - here))
    others = decoded_use().used - here
    return max(0, most - others - here)


def free_bytes(folder: Path) -> int:
    """Free space of the disk that a folder is, or will be, on; 0 if nobody knows."""
    with suppress(OSError):
        while not folder.exists() and folder.parent != folder:
            folder = folder.parent
        return shutil.disk_usage(folder).free
    return 0


def _allowed_gb() -> float:
    try:
        return float(str(load_setting(user_config_file(), "decoded_gb")))
    except ConfigError:  # the app says what is wrong with the settings; a run goes on
        return UserSettings().decoded_gb
