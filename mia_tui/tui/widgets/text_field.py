"""A line to type into that handles all its keys in the order in which they were pressed."""

from collections.abc import Callable
from typing import Any

from textual import events
from textual.binding import BindingsMap
from textual.widgets import Input

_EDITING = BindingsMap(Input.BINDINGS).key_to_bindings


class TextField(Input):
    """An Input that handles Backspace, arrows and the like at once.

    Textual handles them only when the key has come back to the app: in a burst of keys, as over a slow connection,
    letters pressed later would be inserted first. A binding with priority would be handled before letters that were
    pressed earlier.

    Args:
        value: What stands there already.
        before: Handles the keys that its screen keeps for itself; False if a key is none of them. By then `value`
            has what was typed before, though the message `Changed` may not have arrived.
        options: As of an Input.
    """

    def __init__(
        self,
        value: str | None = None,
        *,
        before: Callable[[events.Key], bool] = lambda _: False,
        **options: Any,
    ) -> None:
        super().__init__(value, **options)
        self._before = before

    async def on_key(self, event: events.Key) -> None:
        if self._before(event):
            event.prevent_default()
            return
        for binding in _EDITING.get(event.key, ()):
            event.stop()
            event.prevent_default()
            await self.run_action(binding.action)
            return
