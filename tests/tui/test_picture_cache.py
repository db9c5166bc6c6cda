"""Pictures are made in the order in which a person needs them."""

import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tui_support import TERMINAL

from mia_tui.dataset.images.rendering import DisplaySettings
from mia_tui.dataset.model import ImageKey
from mia_tui.terminal.model import Panel
from mia_tui.tui.pictures import cache as module
from mia_tui.tui.pictures.cache import PictureCache, PictureRequest

PANEL = Panel(8, 4, 10, 20)
WAIT_S = 30.0


def test_an_image_that_the_person_has_passed_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read already when the person jumps: drawing it would hold up what is to be seen now."""
    passed, wanted = (
        PictureRequest(ImageKey(name), DisplaySettings(), PANEL) for name in ("passed.png", "wanted.png")
    )
    for request, colour in ((passed, (200, 0, 0)), (wanted, (0, 0, 200))):
        Image.new("RGB", (8, 6), colour).save(tmp_path / request.key.path)
    begun, gone_on, made = threading.Event(), threading.Event(), threading.Event()
    drawn: list[tuple[int, ...]] = []
    render_image, draw_picture = module.render_image, module.draw_picture

    def slow_load(path: Path, *rest: Any, **options: Any) -> Any:
        view = render_image(path, *rest, **options)
        begun.set()
        assert gone_on.wait(WAIT_S)
        return view

    def noted_draw(pixels: Any, *rest: Any, **options: Any) -> Any:
        drawn.append(tuple(pixels[0, 0]))
        return draw_picture(pixels, *rest, **options)

    monkeypatch.setattr(module, "render_image", slow_load)
    monkeypatch.setattr(module, "draw_picture", noted_draw)
    picture_cache = PictureCache(
        tmp_path,
        TERMINAL,
        threads=1,
        on_ready=lambda ready: made.set() if ready.request == wanted else None,
        max_megapixels=1,
    )
    picture_cache.want([passed])
    assert begun.wait(WAIT_S)
    picture_cache.want([wanted])
    gone_on.set()
    assert made.wait(WAIT_S)
    assert drawn == [(0, 0, 200)]
    assert picture_cache.get(wanted) is not None and picture_cache.get(passed) is None
    picture_cache.want([passed])
    while picture_cache.get(passed) is None:  # back again, it is made after all
        made.wait(0.01)
    picture_cache.close()
