"""Names that every system can hold: class folders are copied to Windows and macOS, too.

Source: "Naming Files, Paths, and Namespaces", learn.microsoft.com/windows/win32/fileio.
"""

import os
import re

_LONGEST_BYTES = 255  # of a name, on every common file system
_SIGNS = re.compile('[<>:"/\\\\|?*\x00-\x1f\x7f]')
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL
)


def unportable(name: str) -> str | None:
    """Why a file or folder cannot have a name everywhere, as "holds a slash"; None if it can."""
    sign = _SIGNS.search(name)
    if "/" in name:
        return "holds a slash"
    if sign is not None:
        shown = sign.group() if sign.group().isprintable() else "a control character"
        return f"holds {shown}, which Windows does not allow"
    if _DEVICE.fullmatch(name):
        return "means a device on Windows"
    if name.endswith((".", " ")):
        return "ends with a dot or space, which Windows drops"
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "is not UTF-8"
    if len(os.fsencode(name)) > _LONGEST_BYTES:
        return "is too long"
    return None


def portable(name: str) -> str:
    """The name of a file as every system can hold it: what one of them does not allow becomes an underscore."""
    name = _SIGNS.sub("_", "".join("_" if "\ud800" <= letter <= "\udfff" else letter for letter in name))
    if name.endswith((".", " ")):
        name = f"{name[:-1]}_"
    return f"_{name}" if _DEVICE.fullmatch(name) else name
