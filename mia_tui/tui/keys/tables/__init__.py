"""Everything a key can do: one table a screen for bindings, help, command palette and the user's keys.

Keys are written as people write them. A key is a line in the table of its
screen; a screen is a module here and a name in `_NAMES`. The tables do without
Textual, which may be imported only when the terminal has been asked for its
colours.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module

from mia_tui.tui.keys.action import Action, Scope

__all__ = ["SCOPES", "Action", "Scope"]

_NAMES = (
    "label",
    "grid",
    "look_alikes",
    "classes",
    "runs",
    "run",
    "gallery",
    "compare",
    "counts",
    "results",
    "pair",
    "train",
    "home",
    "dialog",
    "help",
    "manual",
)


class _Scopes(Mapping[str, Scope]):
    """The table of a screen is in the module of its name, imported when it is needed: the start needs only one."""

    def __getitem__(self, name: str) -> Scope:
        if name not in _NAMES:
            raise KeyError(name)
        scope: Scope = import_module(f"{__name__}.{name}").SCOPE
        return scope

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


SCOPES: Mapping[str, Scope] = _Scopes()
"""The screens by name; the user's settings name keys by these names."""
