"""When Python looks for garbage: all of it only while nobody presses a key.

A look through everything takes 70-260 ms where a million images are known, and what 100,000 new labels need for a
moment would start several. So a full look is left to idle time; what is young is looked through as ever, which
takes less than a millisecond.
"""

import gc

_NEVER = 1 << 30


def begin() -> None:
    """What is known by now stays, and is not looked through any more; young garbage is, from now on."""
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    gc.enable()


def collect() -> None:
    """Look for garbage in all that came since `begin`."""
    gc.collect()


def begin_afresh() -> None:
    """A dataset was left: what was known of it is garbage now."""
    gc.unfreeze()
    gc.collect()
    begin()
