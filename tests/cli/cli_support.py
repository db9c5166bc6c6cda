"""The command line in this process: what it prints and the code it leaves with."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Mia = Callable[..., Answer]
