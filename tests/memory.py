"""Memory of the test process, which runs thousands of tests, goes back to the system."""

import ctypes
import gc
from itertools import count

_M_MMAP_THRESHOLD = -3
_EVERY = 30
_libc = ctypes.CDLL(None)
_apps = count(1)


def return_large_pieces() -> None:
    """Memory of a megabyte and more goes back as soon as it is free.

    By itself glibc keeps what is smaller than the largest that was ever freed (up to 32 MB), and the process grew
    with every network that it built.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def an_app_has_ended() -> None:
    """After every few apps, look for what they left: circles of objects, which Python finds late by itself."""
    if next(_apps) % _EVERY == 0:
        gc.collect()
        if hasattr(_libc, "malloc_trim"):
            _libc.malloc_trim(0)
