"""When Python collects garbage: a full collection runs only while nobody presses a key.

With a million images known, a full collection takes 70-260 ms, and the temporary objects of 100,000 new labels would
start several. So full ones are left to idle time; the young generation is collected as usual, which takes less than
a millisecond.
"""

import gc

_NEVER = 1 << 30


def begin() -> None:
    """Leave out all objects that exist now, and collect the young generation from now on."""
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    gc.enable()


def collect() -> None:
    """A full collection of what was created since `begin`."""
    gc.collect()


def begin_afresh() -> None:
    """A dataset was closed: collect what was known of it, then `begin`."""
    gc.unfreeze()
    gc.collect()
    begin()
