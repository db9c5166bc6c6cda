"""What can go wrong, as sentences for the user.

    MiaError                exit 1
    ├── ConfigError         exit 2   a flag, a field or a file of settings
    │   ├── DeviceError              a GPU that is asked for and cannot be used
    │   └── WeightsError             pretrained weights: not here, cut short, of another network
    ├── DataError           exit 3   images and labels
    │   ├── DecodeError              one image cannot be read (skipped and counted, mostly)
    │   ├── StoreError               labels.db: corrupt, full disk, read-only, locked
    │   │   └── StoreReplaced        another file is there now, or none
    │   ├── StoreConflict            undo or redo of what somebody else changed since
    │   └── LabelFileError           a file of labels that is refused
    └── RunError            exit 1   a run that failed, or a run folder that is not one
        ├── AwayError                a disk that went away and did not come back: stopped, to be resumed
        └── CheckpointError  exit 3   a file of weights or a checkpoint that cannot be used

The message names the thing that is wrong, the hint says the way out.
`str(error)` is both, one sentence each.
"""

import errno
from typing import ClassVar

UNREACHABLE = frozenset(
    {
        errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN,
        errno.ENETUNREACH, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.ENODEV, errno.ENXIO,
        errno.ESHUTDOWN,
    }
)  # fmt: skip
"""What the system says of a file on a disk that does not answer, as against one that is not there."""


class MiaError(Exception):
    """An error a user can do something about.

    Args:
        message: One sentence that names the thing.
        hint: One sentence that says what to do; None where the message says it all.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type["MiaError"], tuple[str, str | None]]:
        return type(self), (self.message, self.hint)


class ConfigError(MiaError):
    """A flag, a field or a settings file asks for what cannot be."""

    exit_code = 2


class DeviceError(ConfigError):
    """A GPU was asked for and cannot be used."""


class WeightsError(ConfigError):
    """Pretrained weights are not here, cut short, or of another network."""


class DataError(MiaError):
    """Images or labels do not allow what was asked for."""

    exit_code = 3


class DecodeError(DataError):
    """One image cannot be read."""


class StoreError(DataError):
    """labels.db cannot be read or written."""


class StoreReplaced(StoreError):
    """labels.db was replaced or taken away while it was open; what it said is out of date."""


class StoreConflict(DataError):
    """An undo or redo would overwrite what somebody else did; nothing was changed."""


class LabelFileError(DataError):
    """A file of labels is refused; nothing of it was imported."""


class RunError(MiaError):
    """A run failed, or a folder is not a run."""


class AwayError(RunError):
    """A disk with images or a run went away and did not come back in time; what was saved stays good."""


class CheckpointError(RunError):
    """A checkpoint cannot be used for what was asked; it is data like images and labels."""

    exit_code = 3
