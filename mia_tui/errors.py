"""The errors of mia-tui: sentences for the user, with an exit code.

    MiaError                exit 1
    ├── ConfigError         exit 2   an option, a field or a settings file is wrong
    │   ├── DeviceError              the requested GPU cannot be used
    │   └── WeightsError             pretrained weights: missing, cut short, of another network
    ├── DataError           exit 3   images or labels
    │   ├── DecodeError              one image cannot be read (usually skipped and counted)
    │   ├── StoreError               labels.db: damaged, disk full, read-only, locked
    │   │   └── StoreReplaced        it was replaced or removed while it was open
    │   ├── StoreConflict            undo or redo of something that somebody else has changed since
    │   └── LabelFileError           a file of labels is refused
    └── RunError            exit 1   a run failed, or a folder is not a run
        ├── AwayError                a disk was away too long: the run is stopped and can be resumed
        └── CheckpointError  exit 3   a checkpoint or a weights file cannot be used

Sentences about a disk that cannot be written are in disk_errors.py.

The message names what is wrong, the hint says what to do about it; `str(error)` is both, one sentence each.

Errors that never reach a user by themselves, but are turned into one of these, are `files.OddFile` (something else is
at the path of a file), `decoding.BadRecord` (a record on disk is not valid) and
`engine.data.disk_watch.WorkStopped` (a stop was requested while images were read or listed).
"""

from typing import ClassVar


class MiaError(Exception):
    """An error a user can do something about.

    Args:
        message: One sentence that names the thing.
        hint: One sentence that says what to do; None if the message is enough.
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
    """An option, a field or a settings file has a value that is not possible."""

    exit_code = 2


class DeviceError(ConfigError):
    """The requested GPU cannot be used."""


class WeightsError(ConfigError):
    """Pretrained weights are missing, cut short, or of another network."""


class DataError(MiaError):
    """Images or labels do not allow what was requested."""

    exit_code = 3


class DecodeError(DataError):
    """One image cannot be read."""


class StoreError(DataError):
    """labels.db cannot be read or written."""


class StoreReplaced(StoreError):
    """labels.db was replaced or removed while it was open; what was read from it is out of date."""


class StoreConflict(DataError):
    """An undo or redo would overwrite a change of somebody else; nothing was changed."""


class LabelFileError(DataError):
    """A file of labels is refused; nothing of it was imported."""


class RunError(MiaError):
    """A run failed, or a folder is not a run."""


class AwayError(RunError):
    """A disk with images or a run was away for too long; what was saved before stays valid."""


class CheckpointError(RunError):
    """A checkpoint or a weights file cannot be used; its exit code is that of data."""

    exit_code = 3
