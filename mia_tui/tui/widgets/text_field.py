"""A line to type into that obeys its keys in the order they were pressed."""

from collections.abc import Callable
from typing import Any

from textual import events
from textual.binding import BindingsMap
from textual.widgets import Input

_EDITING = BindingsMap(Input.BINDINGS).key_to_bindings


class TextField(Input):
    """An Input that takes Backspace, arrows and the like at once.

    Textual looks for them only when the key has come back to the app; letters that were pressed behind them in
    the same burst, as over a slow connection, would be there before. A binding with priority is obeyed before
    letters that were pressed ahead of it.

    Args:
        value: What stands there already.
        before: Obeys the keys that its screen keeps for itself; False where a key is none of them. What was
            typed before stands in `value` by then, though `Changed` may still be on its way.
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
