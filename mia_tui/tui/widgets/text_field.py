"""A line to type into that obeys its keys in the order they were pressed."""

from textual import events
from textual.widgets import Input


class TextField(Input):
    """An Input that takes Backspace, arrows and the like at once.

    Textual looks for them only when the key has come back to the app; letters that were pressed behind them in
    the same burst, as over a slow connection, would be there before.
    """

    async def on_key(self, event: events.Key) -> None:
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            event.stop()
            event.prevent_default()
            await self.run_action(binding.action)
            return
