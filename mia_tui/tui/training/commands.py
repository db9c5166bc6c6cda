"""What the keys of the form do."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.errors import ConfigError, MiaError
from mia_tui.paths import exists, typed_path
from mia_tui.text import printable
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.training.form import field_of, in_words
from mia_tui.tui.training.form_cursor import LISTED
from mia_tui.tui.training.machine import Machine

if TYPE_CHECKING:
    from mia_tui.analysis.rate_curve import RateCurve
    from mia_tui.runs.preflight.rate_search import RateSearch
    from mia_tui.tui.training.screen import TrainScreen

_SUGGESTED = "train.toml"
_LOOK_S = 1.0  # between two looks at how far a search for a rate is


class TrainCommands:
    """The commands by the id of their action.

    Args:
        screen: The form's screen.

    Attributes:
        at_once: Those that are done at once.
        by_name: Those that ask the person something; they run one after the other.
        begun: What was typed to open a list.
    """

    def __init__(self, screen: "TrainScreen") -> None:
        self._screen, self._cursor = screen, screen.cursor
        self.begun = ""
        self._here: frozenset[str] | None = None
        self._search: RateSearch | None = None
        cursor = self._cursor
        self.at_once: dict[str, Callable[[], object]] = {
            "down": lambda: cursor.move(1),
            "up": lambda: cursor.move(-1),
            "right": lambda: cursor.press("right"),
            "left": lambda: cursor.press("left"),
            "section_next": lambda: cursor.turn(1),
            "section_previous": lambda: cursor.turn(-1),
            "reset": cursor.reset,
            "copy": self._copy,
            "group": self._group,
            "rate": self._find_rate,
            "other_images": screen.preview.other_images,
        }
        self.by_name: dict[str, Command] = {
            "open": self._open,
            "start": self._start,
            "recipe": self._recipe,
            "load": self._load,
            "save": self._save,
            "leave": self._leave,
            "help": screen.show_help,
        }

    def weights_here(self, backbone: str) -> bool | None:
        """Whether the weights of a network are on this disk; None until that is known."""
        return None if self._here is None else backbone in self._here

    async def look_for_weights(self) -> None:
        """Find out which weights are on this disk."""
        from mia_tui.tui.training.pickers import backbones_here

        self._here = await asyncio.to_thread(backbones_here)

    async def _open(self) -> None:
        cursor = self._cursor
        field = field_of(cursor.name)
        if field.kind == "switch":
            cursor.change(1)
        elif field.kind == "choice" or cursor.name in LISTED:
            try:
                chosen = await self._choose(self.begun)
            finally:
                self.begun = ""
            if chosen is not None:
                cursor.set(chosen)
        else:
            cursor.move(1)

    async def _choose(self, begun: str) -> str | None:
        from mia_tui.tui.training import pickers

        screen, cursor = self._screen, self._cursor
        ink, config = screen.context.ink, cursor.form.values
        match cursor.name:
            case "backbone" if cursor.kind("backbone") == "size" and not begun:
                size = await screen.ask(pickers.network_sizes(config, ink))
                return await self._any_network(begun) if size == pickers.OTHER else size
            case "backbone":
                return await self._any_network(begun)
            case "weights":
                await self.look_for_weights()
                ours = await asyncio.to_thread(pickers.weights_of_runs, screen.opened, config.backbone)
                here = bool(self.weights_here(config.backbone))
                return await screen.ask(pickers.weights(config, here, ours, ink))
            case "device":
                return await screen.ask(pickers.devices(screen.machine or Machine(), ink))
        field, current = field_of(cursor.name), cursor.form.text(cursor.name)
        return await screen.ask(pickers.words_of(field, ink, begun, current=current))

    async def _any_network(self, begun: str) -> str | None:
        from mia_tui.tui.training import pickers

        screen = self._screen
        await self.look_for_weights()
        return await screen.ask(
            pickers.backbones(
                self._cursor.form.values,
                self._here or frozenset(),
                screen.context.ink,
                begun,
                columns=screen.size.width,
            )
        )

    async def _start(self) -> None:
        from mia_tui.tui.training.check_screen import CheckScreen

        screen, form = self._screen, self._cursor.form
        config = form.config
        if config is None:
            self._cursor.go_to_fault()
            screen.say("Correct this first; nothing was started.")
            return
        run = await screen.ask(
            CheckScreen(
                screen.preparer,
                screen.context,
                config,
                frozenset(form.given),
                screen.command,
            )
        )
        if run is not None:
            screen.leave(run)

    def _group(self) -> None:
        """Accept the groups that file names tell."""
        screen, estimate = self._screen, self._screen.estimate
        groups = None if estimate is None else estimate.groups
        if estimate is None or groups is None:
            screen.say("File names tell no slides, patients or the like that are not kept together already.")
        elif estimate.keeping:
            screen.say(f"This dataset is split already. {estimate.keeping}")
        else:
            self._cursor.form.set_text("group_by", groups.pattern)
            self._cursor.refresh()
            screen.say(f"Each {groups.one} is in one part now (group by {groups.pattern}).")

    def _find_rate(self) -> None:
        """Begin to look for a learning rate, or stop that."""
        from mia_tui.runs.preflight.rate_search import RateSearch

        screen, config = self._screen, self._cursor.form.config
        if self._search is not None:
            self._search.stop()
            screen.say("The search for a learning rate was stopped.")
        elif config is None:
            self._cursor.go_to_fault()
            screen.say("Correct this first; no learning rate is looked for.")
        else:
            opened = screen.opened
            search = RateSearch(config, opened.dataset, state=opened.state, annotator=opened.annotator)
            self._search = search
            screen.say(
                f"Looking for a learning rate by steps with a rising one; {screen.key('rate')} stops it. Go on "
                "meanwhile."
            )
            screen.run_in_background(lambda: self._take_rate(search))

    async def _take_rate(self, search: "RateSearch") -> None:
        """Wait for a learning rate, and put it into the form."""
        from mia_tui.analysis.rate_curve import RULE

        screen = self._screen
        try:
            curve = await self._watched(search)
        except MiaError as error:
            screen.say("")  # nothing is looked for any more
            screen.show_error(error)
            return
        finally:  # also when the app is closed
            search.stop()
            self._search = None
        if curve is None:
            return
        screen.rate_curve, rate = curve, curve.suggestion
        if rate is None:
            screen.say("The loss falls at none of the learning rates, so the form stays as it is.")
        else:
            self._cursor.form.set_text("lr", f"{rate:.2g}")
            self._cursor.refresh()
            screen.say(f"The learning rate {rate:.2g} is in the form: {RULE}.")
        screen.show()

    async def _watched(self, search: "RateSearch") -> "RateCurve | None":
        """Say from time to time how far a search is, until it ends."""
        work, said = asyncio.ensure_future(asyncio.to_thread(search.do)), ""
        while not (await asyncio.wait({work}, timeout=_LOOK_S))[0]:
            if search.said != said and not search.is_stopped:
                said = search.said
                self._screen.say(f"{said} ({self._screen.key('rate')} stops it)")
        return work.result()

    def _copy(self) -> None:
        self._screen.app.copy_to_clipboard(self._screen.command)
        self._screen.say(
            "Copied through the terminal (OSC 52). If nothing is pasted, select it with the mouse."
        )

    async def _recipe(self) -> None:
        from mia_tui.tui.training.pickers import recipes

        told = self._screen.recommendation
        chosen = await self._screen.ask(
            recipes(self._screen.context.ink, None if told is None else told.recipe)
        )
        if chosen is None:
            return
        form = self._cursor.form
        form.take_recipe(chosen)
        if told is not None and chosen == told.recipe:
            for name, value in told.beside.items():
                form.set_text(name, str(value))
        self._cursor.refresh()
        self._screen.say(f"The settings of the recipe {chosen} are in the form.")

    async def _load(self) -> None:
        hint = "{ok} loads it, {cancel} changes nothing; mia-tui train --show-config writes such a file, too."
        path = await self._ask_file("Load the settings of which file?", hint)
        if path is None:
            return
        try:
            await asyncio.to_thread(self._cursor.form.load, path)
        except ConfigError as error:
            self._screen.say(in_words(error))
            return
        self._cursor.refresh()
        self._screen.say(f"Loaded {printable(path)}; settings that it does not name have their defaults.")

    async def _save(self) -> None:
        if self._cursor.form.config is None:
            self._cursor.go_to_fault()
            self._screen.say("Correct this first; nothing was saved.")
            return
        path = await self._ask_file(
            "Save the settings to which file?", "{ok} saves, {cancel} changes nothing."
        )
        if path is None or (exists(path) and not await self._may_replace(path)):
            return
        await asyncio.to_thread(self._cursor.form.save, path)
        self._screen.say(f"Saved {printable(path)}; mia-tui train --config takes it.")

    async def _ask_file(self, title: str, hint: str) -> Path | None:
        from mia_tui.tui.dialogs import TextDialog

        dialog = TextDialog(title, value=_SUGGESTED, hint=hint, replaced=True, needed="A file needs a name.")
        text = await self._screen.ask(dialog)
        return typed_path(text) if text and text.strip() else None

    async def _may_replace(self, path: Path) -> bool:
        text = f"{printable(path)} exists already."
        return await self._screen.confirm("Replace it?", text, no="No", yes="Replace")

    async def _leave(self) -> None:
        self._screen.leave(None)
