"""Commands about what is learned while labelling: turning it on and off, going to the most useful image; and the job
in the background that has to look at the images first."""

import asyncio
from typing import TYPE_CHECKING

from mia_tui.config.user.kept import keep, kept_settings
from mia_tui.config.user.settings import UserConfig
from mia_tui.errors import MiaError
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.live.feature_job import FeatureJob, why_none
from mia_tui.tui.live.useful_images import UsefulImages

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen

_LOOK_EVERY_S = 0.2


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
        context = screen.context
        self._job = FeatureJob(controller.dataset, context.state, context.user.features_gb)
        controller.live.is_on = begins_live(context.user)
        controller.live.needs_features = lambda: screen.run_worker(self.make_features(), name="features")
        self.useful = UsefulImages(controller, is_on=bool(kept_settings().useful_next))
        self.by_name: dict[str, Command] = {
            "useful": self._go_once,
            "useful_next": self._toggle_useful,
            "live": self._toggle_live,
        }

    async def make_features(self, *, again: bool = False) -> None:
        """Start the job that makes features, once all images are known, and say what it is good for."""
        while not self._screen.idle:
            await asyncio.sleep(_LOOK_EVERY_S)
        try:
            images = await self._job.start(self._controller.session.listing, again=again)
        except MiaError as error:
            self._screen.show_message(why_none(error))
            return
        if images:
            self._screen.show_message(
                f"A network looks at {counted(images, 'image')} in the background; then each of your labels brings "
                f"better suggestions for all of them. {self._screen.key('live')} turns that off."
            )

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
        """Why there is no image to go to; what can be done about it is begun."""
        live = self._controller.live
        if self.useful.can_choose:
            return "All images shown have a label or are skipped."
        if not live.is_on:
            return f"Live suggestions are off, and these choose the image; {self._screen.key('live')} turns them on."
        live.needs_features()
        return (
            live.failure or "The images have to be looked at first; until then any without a label come next."
        )

    async def _toggle_live(self) -> None:
        live = self._controller.live
        live.is_on = not live.is_on
        if self._screen.context.user.live_suggestions is None:
            keep(live_suggestions=live.is_on)
        if live.is_on:
            self._screen.say(self._controller.suggestions.choose_live())
            await self.make_features(again=True)
            return
        live.stop()
        self._screen.say("Live suggestions are off; those shown stay as they are.")
        try:
            if await self._job.stop():
                self._screen.say("Live suggestions are off, and the network looks at no more images.")
        except MiaError as error:
            self._screen.show_message(str(error), warning=True)
