"""In tmux, pictures are sent again when the app is looked at again, or by another terminal."""

from pathlib import Path

import pytest
from textual import events
from tui_support import make_context, run, running, wait_until

from mia_tui.terminal.tmux import read_tmux
from mia_tui.tui.app import MiaApp
from mia_tui.tui.textual_private import messages_shown


def make_app(multiplexer: str = "tmux") -> tuple[MiaApp, list[str]]:
    """An app in tmux, and a list for each time that pictures are sent again."""
    return MiaApp(make_context(graphics="kitty", multiplexer=multiplexer), None), []


@pytest.fixture(autouse=True)
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That of the tmux server, as far as the app looks at it."""
    path = tmp_path / "socket"
    path.touch()
    monkeypatch.setenv("TMUX", f"{path},1,0")
    return path


def test_they_are_sent_again_when_the_window_is_looked_at_again_and_not_before() -> None:
    async def test() -> None:
        app, sent = make_app()
        async with running(app) as pilot:
            app.app_resume_signal.subscribe(app.screen, lambda _: sent.append("again"))
            app.post_message(events.AppFocus())
            await pilot.pause()
            assert not sent, "it was not left"
            app.post_message(events.AppBlur())
            app.post_message(events.AppFocus())
            await wait_until(pilot, lambda: sent == ["again"])

    run(test())


def test_outside_of_tmux_the_terminal_keeps_them() -> None:
    async def test() -> None:
        app, sent = make_app("")
        async with running(app) as pilot:
            assert app.tmux_watch is None
            app.app_resume_signal.subscribe(app.screen, lambda _: sent.append("again"))
            app.post_message(events.AppBlur())
            app.post_message(events.AppFocus())
            await pilot.pause()
            assert not sent

    run(test())


@pytest.mark.parametrize(("answer", "draws"), [("kitty(0.48.2)", True), ("XTerm(379)", False)])
def test_another_terminal_gets_them_or_a_sentence(
    socket: Path, monkeypatch: pytest.MonkeyPatch, answer: str, draws: bool
) -> None:
    facts = f"3.6b\t1\n{answer}\t256,RGB\n"

    async def test() -> None:
        app, sent = make_app()
        assert app.tmux_watch is not None
        monkeypatch.setattr(app.tmux_watch, "_ask", lambda _: read_tmux(facts))
        async with running(app, notifications=True) as pilot:
            app.app_resume_signal.subscribe(app.screen, lambda _: sent.append("again"))
            socket.chmod(0o700)
            await wait_until(pilot, lambda: sent == ["again"])
            assert app.tmux_watch is not None and app.tmux_watch.draws == draws
            said = any("does not draw the images" in note.message for note in messages_shown(app))
            assert said != draws

    run(test())
