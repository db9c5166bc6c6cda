"""A disk without locks is told from one where somebody else writes; the kernel itself refuses the locks here."""

import platform
import sqlite3
import sys
from pathlib import Path

import pytest
from run_support import run_python

from mia_tui.dataset.store import errors
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import StoreError

# A filter of system calls: fcntl answers ENOLCK to F_SETLK and F_SETLKW, as NFS without its lock service does.
WITHOUT_LOCKS = """
    import ctypes, struct
    from pathlib import Path
    from mia_tui.dataset.store import errors
    from mia_tui.dataset.store.label_store import LabelStore
    from mia_tui.errors import StoreError
    FCNTL = {"x86_64": 72, "aarch64": 25}[sys.argv[2]]
    LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
    ALLOW, ENOLCK = 0x7FFF0000, 0x00050000 | 37
    steps = [
        (LOAD, 0, 0, 0), (EQUALS, 0, 4, FCNTL),  # number of the call
        (LOAD, 0, 0, 24), (EQUALS, 1, 0, 6), (EQUALS, 0, 1, 7),  # its second argument
        (RETURN, 0, 0, ENOLCK), (RETURN, 0, 0, ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()
    errors.BUSY_TIMEOUT_S = 0.1
    path = Path(sys.argv[1])
    for make in (LabelStore, LabelStore.open_existing):
        try:
            make(path)
        except StoreError as error:
            print(error)
    print(sorted(file.name for file in path.parent.iterdir()))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a filter of system calls is Linux's")
def test_a_disk_without_locks_is_told_in_a_sentence_that_names_state(tmp_path: Path) -> None:
    said = run_python(WITHOUT_LOCKS, tmp_path / "labels.db", platform.machine()).splitlines()
    assert len(said) == 3 and said[2] == "['labels.db']"
    for sentence in said[:2]:
        assert "does not support locks" in sentence and "--state DIR" in sentence


def test_somebody_else_who_writes_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "labels.db"
    with LabelStore(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="Another program has been writing"):
            store.add_class("cat")
        other.close()
        store.add_class("cat")
