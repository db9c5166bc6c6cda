"""The records that the tables of keys consist of."""

from collections.abc import Iterable
from dataclasses import dataclass

from mia_tui.config.user.keys import KeyTable, Typed


@dataclass(frozen=True)
class Action:
    """A command that keys can run.

    Attributes:
        id: Its name in the user's settings, and among the commands of the screen.
        keys: As people write them; sentences name the first.
        title: Shown in the last line and in the palette.
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
class Scope(KeyTable):
    """The commands of a screen: their keys, as `KeyTable` has them, and the words about them.

    Attributes:
        actions: Its commands, in the order of help.
        footer: Ids of those in the last line; a narrow terminal shows the first ones only.
        opening: Ids of those after which the next key may be meant for another screen.
    """

    actions: tuple[Action, ...] = ()
    footer: tuple[str, ...] = ()
    opening: frozenset[str] = frozenset()


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
        footer: Ids of those in the last line, with blanks between.
        typed: What letters and signs do on it.
        all_open: Whether any of its commands may open something, so that keys always wait for each other.
    """
    actions = tuple(actions)
    keys = {action.id: action.keys for action in actions}
    opening = frozenset(action.id for action in actions if all_open or action.opens)
    return Scope(name, where, keys, typed, actions, tuple(footer.split()), opening)
