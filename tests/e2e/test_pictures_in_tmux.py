"""The app in a real tmux in a terminal that a test plays: pictures pass through where they are drawn, else none."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from patience import Patience
from terminal_driver import TerminalApp, python_app
from tui_support import make_images

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux")]

PLACEHOLDER = "\U0010eeee".encode()


def wait_until_sent(app: TerminalApp, sent: bytes, since: int = 0) -> None:
    patience = Patience(90.0)
    while sent not in app.raw(since):
        assert not patience.is_over(), f"{sent!r} never came:\n{app.screen()}"
        time.sleep(0.05)


@pytest.mark.parametrize("passthrough", ["on", "off"])
def test_a_terminal_gets_pictures_through_tmux_if_it_draws_them(tmp_path: Path, passthrough: str) -> None:
    images = make_images(tmp_path / "images", 3)
    settings = tmp_path / "tmux.conf"
    settings.write_text(f"set -g allow-passthrough {passthrough}\n")
    tmux = ["tmux", "-S", str(tmp_path / "socket"), "-f", str(settings)]
    try:
        with TerminalApp(
            [*tmux, "new-session", *python_app(images)], home=tmp_path / "home", kind="kitty"
        ) as app:
            if passthrough == "off":
                wait_until_sent(app, "▀".encode())
                assert b"\x1b_Ga=p" not in app.raw() and PLACEHOLDER not in app.raw()
                return
            wait_until_sent(app, b"\x1b_Ga=p,")
            wait_until_sent(app, PLACEHOLDER)
            assert b"U=1" in app.raw()
        with TerminalApp([*tmux, "attach"], home=tmp_path / "home", kind="kitty") as app:
            wait_until_sent(app, b"\x1b_Ga=t,")  # another window of kitty has none of the pictures
        with TerminalApp([*tmux, "attach"], home=tmp_path / "home", kind="plain") as app:
            app.wait_for("does not draw the images")
            app.quiet(1.0)
            start = app.mark()
            app.press("down")
            app.wait_for("2/3")
            app.quiet(0.5)
            assert b"\x1b_G" not in app.raw() and PLACEHOLDER not in app.raw(start)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, capture_output=True)
