"""Text that needs more lines than it did."""

from textual.app import App, ComposeResult
from tui_support import run, running

from mia_tui.tui.widgets.text_block import TextBlock


class _Text(App[None]):
    """An app of one text."""

    def __init__(self) -> None:
        super().__init__()
        self.block = TextBlock()

    def compose(self) -> ComposeResult:
        yield self.block


def test_a_text_has_its_lines_though_a_layout_came_between() -> None:
    async def test() -> None:
        app = _Text()
        async with running(app) as pilot:
            app.block.update("one")
            app.screen._refresh_layout()  # before the widget was idle
            assert app.block.size.height == 1
            app.block.update("one\ntwo")
            await pilot.pause()
            assert app.block.size.height == 2

    run(test())
