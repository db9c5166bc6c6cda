"""What all screens share: terminal, drawing, settings."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.config.user.settings import UserConfig
from mia_tui.terminal.model import Terminal
from mia_tui.tui.pictures.flow_control import FlowControl
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.tour.tour import Tour
    from mia_tui.tui.training.form import Form


@dataclass(frozen=True)
class Context:
    """What all screens share.

    Attributes:
        terminal: What the terminal can do.
        ink: Characters and styles for it.
        flow_control: How fast it takes pictures.
        user: The user's settings.
        state: The folder given with --state.
        annotator: The name given with --annotator; None is the login name.
        drafts: Settings of trainings that were typed and not started, by dataset and named state.
        tour: Of the demo; None without one.
    """

    terminal: Terminal
    ink: Ink
    flow_control: FlowControl
    user: UserConfig
    state: Path | None
    annotator: str | None
    drafts: "dict[tuple[Path, Path | None], Form]" = field(default_factory=dict)
    tour: "Tour | None" = None
