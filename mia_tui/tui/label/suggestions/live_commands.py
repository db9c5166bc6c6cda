"""Commands about what is learned while labelling: turning it on and off, going to the most useful image."""

from typing import TYPE_CHECKING

from mia_tui.config.user.kept import keep, kept_settings
from mia_tui.config.user.settings import UserConfig
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.live.useful_images import UsefulImages

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen


def begins_live(user: UserConfig) -> bool:
    """Whether suggestions are learned while labelling: as config.toml says, else as the person left it."""
    kept = kept_settings().live_suggestions
    return kept is not False if user.live_suggestions is None else user.live_suggestions


class LiveCommands:
    """The commands about live suggestions of the labelling screen.

    Args:
        controller: The dataset.
        screen: The screen.

    Attributes:
        useful: Goes to the most useful image, once or again and again.
        by_name: Every one of them, by the id of its action.
    """

    def __init__(self, controller: LabelController, screen: "LabelScreen") -> None:
        self._controller, self._screen = controller, screen
        controller.live.is_on = begins_live(screen.context.user)
        self.useful = UsefulImages(controller, is_on=bool(kept_settings().useful_next))
        self.by_name: dict[str, Command] = {
            "useful": self._go_once,
            "useful_next": self._toggle_useful,
            "live": self._toggle_live,
        }

    async def _go_once(self) -> None:
        if not await self.useful.go_on():
            self._screen.say(self._why_none())
        elif not self.useful.is_on:
            self._screen.say(f"{self._screen.key('useful_next')} goes on with the most useful ones.")

    async def _toggle_useful(self) -> None:
        self.useful.turn(is_on=not self.useful.is_on)
        keep(useful_next=self.useful.is_on)
        if not self.useful.is_on:
            self._screen.say("Labelling goes on with the next image in the list.")
        elif not self.useful.can_choose and not await self.useful.go_on():
            self._screen.say(self._why_none())
        else:
            self._screen.say("Labelling goes on with the most useful image each time.")

    def _why_none(self) -> str:
        live = self._controller.live
        if self.useful.can_choose:
            return "All images shown have a label or are skipped."
        if not live.is_on:
            return f"Live suggestions are off, and these choose the image; {self._screen.key('live')} turns them on."
        return (
            live.failure
            or "The images have to be looked at first; until then the next ones come without a label."
        )

    async def _toggle_live(self) -> None:
        live = self._controller.live
        live.is_on = not live.is_on
        if self._screen.context.user.live_suggestions is None:
            keep(live_suggestions=live.is_on)
        if live.is_on:
            live.start()
            self._screen.say(self._controller.suggestions.choose_live())
        else:
            live.stop()
            self._screen.say("Live suggestions are off; those shown stay as they are.")
