"""A text field that handles keys in the order they were pressed."""

from collections.abc import Callable
from typing import Any

from textual import events
from textual.binding import BindingsMap
from textual.widgets import Input

_EDITING = BindingsMap(Input.BINDINGS).key_to_bindings


class TextField(Input):
    """An Input that handles Backspace, arrow keys and the like at once.

    Textual handles them only after the key has been passed back to the app; letters typed right after them, as in a
    burst over a slow connection, would come first. Bindings with priority have the opposite problem: they are handled
    before letters that were typed earlier.

    Args:
        value: The text at first.
        before: Called with every key; True if the screen has handled it. All text typed before is in `value` by
            then, though `Changed` may not have been handled yet.
        options: As for an Input.
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
