"""What every screen of one app shares."""

from dataclasses import dataclass
from pathlib import Path

from mia_tui.config.user import UserConfig
from mia_tui.terminal.model import Terminal
from mia_tui.tui.pictures.flow_control import FlowControl
from mia_tui.tui.widgets.ink import Ink


@dataclass(frozen=True)
class Context:
    """What every screen of one app shares.

    Attributes:
        terminal: What the terminal can do.
        ink: How things are drawn on it.
        flow_control: The line to it.
        user: What the user set.
        state: What was named with --state.
        annotator: What was named with --annotator; None is the login name.
    """

    terminal: Terminal
    ink: Ink
    flow_control: FlowControl
    user: UserConfig
    state: Path | None
    annotator: str | None
