"""What goes on below a whole screen: it is not seen, and paints nothing."""

from pathlib import Path

from tui_support import make_images, opened, press, record_paints, run, screen_text, wait_until

from mia_tui.tui.training.screen import TrainScreen
from mia_tui.tui.widgets.text_line import TextLine


def test_what_changes_on_the_labelling_screen_below_does_not_paint_the_form_anew(tmp_path: Path) -> None:
    images = make_images(tmp_path / "images", 4, classes=["round", "long"])

    async def test() -> None:
        async with opened(images) as pilot:
            await press(pilot, "ctrl+t")
            form, below = pilot.app.screen, pilot.app.screen_stack[-2]
            assert isinstance(form, TrainScreen)
            await wait_until(pilot, lambda: form.idle and form.machine is not None)
            await pilot.pause(0.2)
            painted = record_paints(pilot.app)
            for word in ("one", "two", "three"):
                below.query_one("#status", TextLine).show([(word, None)])
                await pilot.pause(0.1)
            assert not any(painted)
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "image-000" in screen_text(pilot.app))

    run(test())
