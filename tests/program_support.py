"""`mia-tui` as a process of its own."""

import subprocess

from patience import LONGEST_S
from run_support import python


def program(*words: object, before: str = "") -> list[str]:
    """The command, with some Python run before it."""
    return python(f"{before}\nimport runpy; runpy.run_module('mia_tui', run_name='__main__')", *words)


def mia(*words: object) -> subprocess.CompletedProcess[str]:
    """What a command prints, and the code it ends with."""
    return subprocess.run(
        program(*words),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
