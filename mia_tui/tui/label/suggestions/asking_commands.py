"""The commands about a network that is asked about the image on screen: what it says, and where it looks."""

from collections.abc import Callable
from typing import Any

from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.suggestions.asked_network import AskedNetwork
from mia_tui.tui.screen import KeyedScreen


class AskingCommands:
    """Starts and stops to ask a network.

    Args:
        controller: The dataset.
        network: What is asked.
        screen: The screen.
        stays_blind: Whether nothing may be seen of what models say; says so.

    Attributes:
        by_name: Every command, by the id of its action.
    """

    def __init__(
        self,
        controller: LabelController,
        network: AskedNetwork,
        screen: KeyedScreen[Any],
        *,
        stays_blind: Callable[[], bool],
    ) -> None:
        self._session, self._network, self._screen = controller.session, network, screen
        self._stays_blind = stays_blind
        self.by_name: dict[str, Command] = {"ask": self._toggle, "why": self._next_reason}

    async def _toggle(self) -> None:
        if self._may_not_ask():
            return
        if self._network.is_on:
            self._network.turn_off()
            self._screen.say("The network is not asked any more.")
        else:
            await self._turn_on()

    async def _next_reason(self) -> None:
        """Where the network looks for the class that it suggests, then for the label if that is another, then not."""
        if self._may_not_ask():
            return
        network = self._network
        shown = network.explains
        if shown is None:
            if await self._turn_on():  # another network, if images of another run were opened
                network.explain("")
                self._screen.say("")
            return
        label = self._other_label()
        if shown == "" and label:
            network.explain(label)
            self._screen.say("")
        else:
            network.explain(None)
            self._screen.say("Where the network looks is not shown any more.")

    def _other_label(self) -> str:
        """The label of the current image if the network finds another class most probable; else empty."""
        row, key = self._session.current_row, self._session.current
        answer = self._network.answer_for(key)
        if row is None or answer is None:
            return ""
        label = self._session.state_of(row).image_class
        is_other = label is not None and label.name != answer.best(1)[0][0]
        return label.name if label is not None and is_other else ""

    def _may_not_ask(self) -> bool:
        if self._session.is_blind:
            self._screen.say("No network is asked in a blind second pass.")
            return True
        return self._stays_blind()

    async def _turn_on(self) -> bool:
        is_on = await self._network.turn_on()
        if not is_on:
            train, runs = self._screen.key("train"), self._screen.key("runs")
            self._screen.say(
                f"There is no trained network yet: {train} trains one on the labels, {runs} shows how far it is."
            )
        return is_on
