"""Commands about what is learned while labelling: turning it on and off, going to the most useful image; and the job
in the background that has to look at the images first."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.config.user.kept import keep, kept_settings
from mia_tui.config.user.settings import UserConfig
from mia_tui.errors import MiaError
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.live.feature_job import FeatureJob, looks_sentence, why_none
from mia_tui.tui.live.useful_images import UsefulImages

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen
    from mia_tui.tui.live.network_in_use import NetworkInUse

_LOOK_EVERY_S = 0.2
_LEAST_LABELS = 20  # before pages are spoken of: with few, suggestions are surer than right
_FEW_PRESSES = 0.5  # an image; a simulated person who goes on to pages at that needs the fewest in all


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
        controller.live.listeners += [self._say_failure, self._say_pages, self._say_network]
        controller.live.gone_listeners.append(self._say_gone)
        self._failure = ""  # that was said
        self._network: NetworkInUse | None = None  # that was said
        self.useful = UsefulImages(controller, is_on=bool(kept_settings().useful_next))
        self.by_name: dict[str, Command] = {
            "useful": self._go_once,
            "useful_next": self._toggle_useful,
            "live": self._toggle_live,
            "live_network": self._choose_network,
        }

    async def make_features(self, *, again: bool = False) -> None:
        """Start the job that makes features, once all images are known, and say what it is good for."""
        while not self._screen.idle:
            await asyncio.sleep(_LOOK_EVERY_S)
        listing, weights = self._controller.session.listing, self._controller.live.network.weights
        try:
            images = await self._job.start(listing, again=again)
            if weights:
                await self._job.start(listing, Path(weights), again=again)
        except MiaError as error:
            self._screen.show_message(why_none(str(error)))
            return
        if images:
            self._screen.show_message(
                f"A network looks at {counted(images, 'image')} in the background; then each of your labels brings "
                f"better suggestions for all of them. {self._screen.key('live')} turns that off."
            )

    def _say_failure(self) -> None:
        failure = self._controller.live.failure
        if failure != self._failure:
            self._failure = failure
            self._screen.show_message(why_none(failure))

    def _say_gone(self) -> None:
        """Say that features were removed; they are made again once they are needed."""
        self._job.forget()
        self._screen.show_message(
            "What the network saw in these images was removed to make room, perhaps by another program: suggestions "
            "stay as they are until your next label. features_gb in the settings gives more room."
        )

    def _say_network(self) -> None:
        """Say which network's features are learned from, and why, once it is another one or has been compared."""
        from mia_tui.tui.live.network_in_use import SHIPPED_IN_USE

        before, network = self._network or SHIPPED_IN_USE, self._controller.live.network
        self._network = network
        is_other = (network.network_id, network.is_chosen) != (before.network_id, before.is_chosen)
        if is_other or (before.waits and not network.waits):
            self._screen.show_message(network.sentence)
        if is_other:
            self._controller.live.needs_features()  # of images that its network has not looked at

    def _say_pages(self) -> None:
        """Say once that pages of look-alikes take fewer keys from now on."""
        live = self._controller.live
        learning = live.learning
        if not live.asks_for_pages or learning is None or learning.learned is None:
            return
        if self._controller.look_alikes is not None:
            live.asks_for_pages = False  # the person knows them
        elif learning.learned.labels >= _LEAST_LABELS and learning.page_presses <= _FEW_PRESSES:
            live.asks_for_pages = False
            self._screen.show_message(
                f"Many suggestions are sure by now: {self._screen.key('look_alikes')} shows pages of images that "
                "look alike, which one key labels."
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

    async def _choose_network(self) -> None:
        """Choose whose features suggestions are learned from; those of a run are made first, in the background."""
        from mia_tui.tui.label.suggestions.network_choice import network_dialog, offered_networks

        live, screen = self._controller.live, self._screen
        if not live.is_on:
            screen.say(f"Live suggestions are off; {screen.key('live')} turns them on.")
            return
        offered = await asyncio.to_thread(offered_networks, self._controller.dataset, screen.context.state)
        chosen = await screen.ask(network_dialog(offered, live, screen.context.ink))
        if chosen is None:
            return
        if chosen.weights is not None and not chosen.network_id:
            images = await self._job.start(self._controller.session.listing, chosen.weights, again=True)
            screen.say(looks_sentence(images, chosen.name))
            return
        live.choose_network(chosen.network_id)
        live.start()
        live.relearn()
        screen.say(f"Suggestions are learned from {chosen.words}.")

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
