"""What the files of a training's images held: a fingerprint of each, and one of all, to repeat the run elsewhere.

    {"digest":"6c1f…","files":1149,"bytes":23400123,"unread":0}
    ["train/a.png",20123,"9be1…"]       path as in samples.jsonl, size, `dataset.hashes.content_hash`, empty if unread

The fingerprint of all is about content, labels and parts, not about names: it stays the same where files are renamed
or moved. Images of the test part, which a training never reads, are left out.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec

from mia_tui.dataset.hashes import content_hash
from mia_tui.dataset.model import ImageFile
from mia_tui.dataset.scan.file_cache import FileCache
from mia_tui.dataset.scan.folder_images import stat_image
from mia_tui.dataset.threads import map_in_threads
from mia_tui.decoding import BadRecord, Count, JsonReader, Text
from mia_tui.errors import RunError
from mia_tui.files import open_to_read, read
from mia_tui.runs.disk import write_atomically
from mia_tui.runs.record.job import JobClass, Sample
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.text import decode_name, encode_name, printable

_MOST_BYTES = 1 << 31
_LONGEST_LINE_BYTES = 1 << 20


class FileFingerprint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a file held; `hash` is empty if it could not be read."""

    path: Text
    size: Count
    hash: Text


class DataFingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """The fingerprint of all images of a training.

    Attributes:
        digest: BLAKE2b over content, frame, part and class of all images, 16 bytes as hexadecimal digits.
        files: How many files.
        bytes: Their size.
        unread: How many of them could not be read.
    """

    digest: Text
    files: Count
    bytes: Count
    unread: Count = 0

    @property
    def short(self) -> str:
        """The beginning of the digest, for people."""
        return self.digest[:12]


_HEAD, _FILE = JsonReader(DataFingerprint), JsonReader(FileFingerprint)


def trained_on(samples: Iterable[Sample]) -> Iterator[Sample]:
    """The images that a training reads."""
    return (sample for sample in samples if sample.split != "test")


def file_fingerprints(
    root: Path,
    paths: Iterable[str],
    *,
    give_up: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[FileFingerprint]:
    """What some files hold now, in their order; a file whose hash is in the user's cache is not read.

    Args:
        root: Folder that relative paths start from.
        paths: Each once.
        give_up: Called now and then, True cancels: what is left counts as unread.
        progress: Called with how many are done.
    """
    index = FileCache(root)
    for done, found in enumerate(map_in_threads(partial(_fingerprint, root, index, give_up), paths), 1):
        if found.hash and not found.hash.startswith("~"):
            status = _status(root, found.path)
            if status is not None and status.size == found.size:
                index.remember(status, hash=found.hash)
        progress(done)
        yield found
    index.save()


def _status(root: Path, path: str) -> ImageFile | None:
    try:
        status = stat_image(root / path)
    except OSError:
        return None
    return ImageFile(path, status.st_size, status.st_mtime_ns)


def _fingerprint(root: Path, index: FileCache, give_up: Callable[[], bool], path: str) -> FileFingerprint:
    file = _status(root, path)
    if file is None or file.size is None:
        return FileFingerprint(path, 0, "")
    try:
        hash = index.hash(file) or content_hash(root / path, give_up=give_up)
    except (OSError, TimeoutError):
        hash = ""
    return FileFingerprint(path, file.size, hash)


def fingerprint_of(
    files: Sequence[FileFingerprint], samples: Iterable[Sample], classes: Sequence[JobClass]
) -> DataFingerprint:
    """The fingerprint of all images, from those of their files.

    Args:
        files: Of all files of the samples.
        samples: The images; those of the test part are passed over.
        classes: Of the job.
    """
    hashes: Mapping[str, str] = {file.path: file.hash for file in files}
    names = [item.name for item in classes]
    lines = sorted(
        f"{hashes.get(each.path, '')} {each.frame} {each.split} {encode_name(names[each.class_index])}"
        for each in trained_on(samples)
    )
    return DataFingerprint(
        digest=blake2b("\n".join(lines).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest(),
        files=len(files),
        bytes=sum(file.size for file in files),
        unread=sum(not file.hash for file in files),
    )


def write_fingerprint(run: RunDir, whole: DataFingerprint, files: Iterable[FileFingerprint]) -> None:
    """Keep fingerprints with a run.

    Raises:
        RunError: If the disk does not take it.
    """
    encoder = msgspec.json.Encoder()
    lines = [encoder.encode(whole)]
    lines += [encoder.encode(msgspec.structs.replace(file, path=encode_name(file.path))) for file in files]
    write_atomically(run.fingerprint, b"\n".join(lines) + b"\n", root=run.root)


def data_fingerprint(run: RunDir) -> DataFingerprint | None:
    """The fingerprint of all images of a training; None if an earlier version made it, or it is not taken yet.

    Raises:
        RunError: If it is damaged.
    """
    try:
        with open_to_read(run.fingerprint, root=run.root) as file:
            return _HEAD.decode(file.readline(_LONGEST_LINE_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(run.fingerprint, error) from error
    except BadRecord as error:
        raise _damaged(run, error) from error


def read_fingerprints(run: RunDir) -> list[FileFingerprint] | None:
    """The fingerprints of all files of a training; None if there are none.

    Raises:
        RunError: If they are damaged.
    """
    try:
        raw = read(run.fingerprint, root=run.root, most_bytes=_MOST_BYTES)
        found = _FILE.decode_lines(raw.partition(b"\n")[2])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(run.fingerprint, error) from error
    except BadRecord as error:
        raise _damaged(run, error) from error
    return [msgspec.structs.replace(file, path=decode_name(file.path)) for file in found]


def _damaged(run: RunDir, error: BadRecord) -> RunError:
    return RunError(
        f"{printable(run.fingerprint.name)} of the run {printable(run.name)} is damaged: {error}."
    )
