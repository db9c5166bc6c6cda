"""What lies over a screen and has keys of its own: dialogs and the help."""

from collections.abc import Callable
from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.events import Key
from textual.screen import ModalScreen

from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import Wanted, commands_by_key, keys_of, shown_key

Answer = TypeVar("Answer")


class KeyedModal(ModalScreen[Answer], inherit_bindings=False):
    """A screen over another one, with the user's keys in force.

    Attributes:
        KEYS: Its name in `SCOPES`.
        by_name: What its keys do, by the id of the action; those of the table that are not in it do nothing here.
    """

    KEYS: ClassVar[str] = "dialog"
    # As Textual has it, without Tab: who types into a dialog is not to leave the line by mistake.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,super+c", "screen.copy_text", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self.by_name: dict[str, Callable[[], object]] = {}
        self._commands_by_key: dict[str, str] = {}

    def on_mount(self) -> None:
        """Besides what each of them does (Textual calls both)."""
        self._commands_by_key = commands_by_key(keys_of(self.KEYS, self._wanted), only=self.by_name)

    def on_key(self, event: Key) -> None:
        self.obeys(event)

    def obeys(self, event: Key) -> bool:
        """Obey a key that is one of its own at once; False if it is none.

        What was pressed behind the key that closed it, in the same burst, is not for it any more: left alone, it
        comes to the screen that is seen now.
        """
        if not self.is_current:
            return True
        command = self._commands_by_key.get(event.key)
        if command is None:
            return False
        event.stop()
        self.by_name[command]()
        return True

    def in_words(self, words: str) -> str:
        """A sentence with the keys in force instead of the ids of commands in braces, such as `{ok} takes it`."""
        for name, keys in keys_of(self.KEYS, self._wanted).items():
            words = words.replace(f"{{{name}}}", shown_key(keys[0]) if keys else "no key")
        return words[:1].upper() + words[1:]

    @property
    def _wanted(self) -> Wanted:
        context = getattr(self.app, "context", None)
        return context.user.keys if isinstance(context, Context) else {}
