"""What the tables of keys are made of."""

from collections.abc import Iterable
from dataclasses import dataclass

from mia_tui.config.keys import KeyTable, Typed


@dataclass(frozen=True)
class Action:
    """One thing a key can do.

    Attributes:
        id: Name in the user's settings, and among the commands of the screen.
        keys: As a person writes them; the first is shown.
        title: For footer and palette.
        help: One sentence.
        section: Heading in help.
        opens: Whether another screen or a dialog is there afterwards, for which the next key is meant.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    section: str
    opens: bool = False


@dataclass(frozen=True)
class Scope:
    """A screen and everything that keys do there.

    Attributes:
        keys: Its commands with the keys they have by themselves.
        actions: Its commands, in the order of help.
        footer: Ids of those that the footer shows; in a narrow terminal the first ones only.
        opening: Ids of those after which the next key may be meant for another screen.
    """

    keys: KeyTable
    actions: tuple[Action, ...]
    footer: tuple[str, ...]
    opening: frozenset[str]


def make_scope(
    name: str,
    where: str,
    actions: Iterable[Action],
    footer: str = "",
    *,
    typed: Typed = "nothing",
    all_open: bool = False,
) -> Scope:
    """The table of a screen.

    Args:
        name: Of the screen in `SCOPES` and in the user's settings.
        where: For sentences, such as `in the grid`.
        actions: Its commands, in the order of help.
        footer: Ids of those that the footer shows, with blanks between.
        typed: What letters and signs do there.
        all_open: Whether any of its commands may open something: no key is hurried there.
    """
    actions = tuple(actions)
    keys = {action.id: action.keys for action in actions}
    opening = frozenset(action.id for action in actions if all_open or action.opens)
    return Scope(KeyTable(name, where, keys, typed), actions, tuple(footer.split()), opening)
