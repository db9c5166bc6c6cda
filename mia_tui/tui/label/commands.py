"""What the keys of the labelling screen do, and what those of the grid have in common with them.

Each command stands under its id in the table of keys. No widget is touched
here: a command changes the labels, the session or the view settings, says a
word about it, or opens a dialog or another screen. The screen paints what is
different afterwards. Other screens are imported when they are opened, which
makes the start 60 ms quicker.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from mia_tui.config.user.kept import keep, kept_settings
from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import Applied
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.choice_commands import ChoiceCommands
from mia_tui.tui.label.moving_commands import MovingCommands
from mia_tui.tui.label.people_commands import PeopleCommands
from mia_tui.tui.label.picture.view_commands import ViewCommands
from mia_tui.tui.label.picture.view_settings import ViewSettings
from mia_tui.tui.label.suggestions.asking_commands import AskingCommands
from mia_tui.tui.label.suggestions.live_commands import LiveCommands
from mia_tui.tui.label.suggestions.suggestion_commands import SuggestionCommands
from mia_tui.tui.review.commands import ReviewCommands
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen
    from mia_tui.tui.label.session_screen import SessionScreen
    from mia_tui.tui.mosaic.tile_pictures import TilePictures
    from mia_tui.tui.screen import KeyedScreen


async def step_back(
    controller: LabelController,
    screen: "KeyedScreen[Any]",
    reveal: Callable[[Applied], str] = lambda _: "",
    *,
    redo: bool,
) -> None:
    """Undo or redo my last step, and say what it was.

    Args:
        controller: The dataset.
        screen: The screen.
        reveal: Goes where something changed; returns what to say about that.
        redo: Whether to do again what undo took back.
    """
    step = await controller.step_back(redo=redo)
    if step is None:
        screen.say("There is nothing to redo." if redo else "There is nothing of yours to undo.")
    else:
        words, applied = step
        screen.say(words + reveal(applied))


class SessionCommands(ABC):
    """Commands of every screen that shows the session's images: classes, undo, what is shown, training and runs.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Every command, by the id of its action.
        shown: Those that choose which images are shown.
    """

    def __init__(self, controller: LabelController, screen: "SessionScreen[Any]", ink: Ink) -> None:
        self._controller, self._session, self._screen, self._ink = controller, controller.session, screen, ink
        self._suggestions = SuggestionCommands(controller, screen, ink)
        self.shown = ChoiceCommands(
            controller,
            screen,
            ink,
            compare=self._suggestions.compare,
            open_grid=self.open_grid,
            return_to_pages=self._return_to_pages,
            leave_screen=self.leave_screen,
        )
        self.by_name: dict[str, Command] = {
            "undo": partial(step_back, controller, screen, self.reveal, redo=False),
            "redo": partial(step_back, controller, screen, self.reveal, redo=True),
            **self._suggestions.by_name,
            **self.shown.by_name,
            "pick": self._pick,
            "next_unlabelled": partial(self._unlabelled, backwards=False),
            "previous_unlabelled": partial(self._unlabelled, backwards=True),
            "classes": self._open_classes,
            "look_alikes": self.open_look_alikes,
            "find_like": self.find_like,
            "help": screen.show_help,
        }

    async def use_key(self, character: str) -> None:
        """The key of a class was pressed."""
        image_class = self._session.class_of_key(character)
        if image_class is None:
            self._screen.say(f"No class has the key {character}.")
        else:
            await self.use_class(image_class.id)

    @abstractmethod
    async def use_class(self, class_id: int) -> None:
        """A class was chosen."""

    @abstractmethod
    def reveal(self, applied: Applied) -> str:
        """Go where something changed; returns what to say about that."""

    def hides_notes(self) -> bool:
        """Whether notes are not shown, and so not changed; says why."""
        if self._session.is_blind:
            self._screen.say("Notes of others are hidden in a blind second pass, so none is written there.")
        return self._session.is_blind

    def _go_to(self, row: int) -> str:
        """Go to an image, also where it is not among those that are shown; returns what to say about that."""
        if not self._controller.ways_back.reveal(row, self._screen.SCOPE_NAME):
            return ""
        return f" All images are shown; {self._screen.key('leave')} shows those of before."

    async def _pick(self) -> None:
        from mia_tui.tui.classes import pickers

        chosen = await self._screen.ask(pickers.classes(self._session, self._ink))
        if chosen is not None:
            await self.use_class(chosen)

    async def _unlabelled(self, *, backwards: bool) -> None:
        while True:
            wraps = not self._session.next_unlabelled(backwards=backwards)
            if wraps and not self._session.next_unlabelled(backwards=backwards, wrap=True):
                self._screen.say(self._why_none_left())
                return
            if wraps:
                self._screen.say(f"Continued from the {'end' if backwards else 'beginning'} of the list.")
            if await self._controller.leases.hold():
                return

    def _why_none_left(self) -> str:
        """Why there is no image to label next."""
        if self._session.is_blind:
            return "All images shown were labelled again."
        left = int(self._session.leased.sum()) if self._session.has_leased else 0
        if left:
            return f"All others have a label or are skipped; {counted(left, 'image')} somebody else is labelling."
        return "All images shown have a label or are skipped."

    # Classes

    async def _open_classes(self) -> None:
        from mia_tui.tui.classes.screen import ClassesScreen

        await self._screen.ask(ClassesScreen(self._controller, self._screen.context))

    # Look-alikes

    async def open_look_alikes(self) -> None:
        """Show pages of look-alikes."""
        await self.show_pages()

    async def find_like(self) -> None:
        """Show the images that are most like the current one."""
        if self._session.current is not None:
            await self.show_pages(like=self._session.current)

    async def show_pages(self, *, like: ImageKey | None = None, returns: bool = False) -> bool:
        """Show pages of look-alikes; as `opening.open_look_alikes`."""
        from mia_tui.tui.look_alikes.opening import open_look_alikes

        screen, pictures = self._screen, self.tile_pictures
        if self._session.is_blind:
            screen.say("In a blind second pass no class is suggested, so there are no look-alikes.")
            return False
        return await open_look_alikes(self._controller, screen, pictures, like=like, returns=returns)

    async def _return_to_pages(self) -> None:
        await self.show_pages(returns=True)

    @property
    @abstractmethod
    def tile_pictures(self) -> "TilePictures":
        """The pictures of tiles, which are kept while the dataset is open."""

    @abstractmethod
    async def leave_screen(self) -> None:
        """Go back where all images are shown that were shown at first."""

    @abstractmethod
    async def open_grid(self) -> None:
        """Go to the grid, or from there back."""


def begins_in_auto(user: UserConfig) -> bool:
    """Whether labelling begins in auto mode: as config.toml says, else as the person left it."""
    return bool(kept_settings().auto_advance) if user.auto_advance is None else user.auto_advance


class LabelCommands(SessionCommands):
    """The commands of one labelling screen.

    Args:
        controller: The dataset.
        view_settings: How images are shown.
        screen: The screen.
        ink: Characters and styles, for dialogs.
        auto: Whether to begin in auto mode.

    Attributes:
        auto: Whether the key of a class assigns it and moves to the next image.
        reviewing: What is reviewed.
        useful: Goes to the most useful image, once or again and again.
        moving: Goes to the next image.
    """

    _screen: "LabelScreen"

    def __init__(
        self,
        controller: LabelController,
        view_settings: ViewSettings,
        screen: "LabelScreen",
        ink: Ink,
        *,
        auto: bool,
    ) -> None:
        super().__init__(controller, screen, ink)
        self.auto = auto
        self.reviewing = ReviewCommands(controller, screen, ink)
        live = LiveCommands(controller, screen)
        self.useful = live.useful
        self.by_name |= {
            "assign": partial(self._assign, advance=False),
            "assign_next": partial(self._assign, advance=True),
            "accept": self._accept,
            "clear": self._clear,
            "undo": partial(self._step_back, redo=False),
            "redo": partial(self._step_back, redo=True),
            "unlink": self._unlink,
            "auto": self._toggle_auto,
            **live.by_name,
            "skip": self._skip,
            "flag": self._flag,
            "note": self._note,
            "grid": self.open_grid,
        }
        self.by_name |= ViewCommands(view_settings, screen, ink).by_name
        self.by_name |= self.reviewing.by_name
        asking = AskingCommands(
            controller, screen.asked_network, screen, stays_blind=self.reviewing.stays_blind
        )
        self.by_name |= asking.by_name
        self._people = PeopleCommands(controller, screen, ink)
        self.by_name |= self._people.by_name
        self.moving = MovingCommands(
            controller,
            view_settings,
            screen,
            live.useful,
            is_reviewing=lambda: self.reviewing.review.queue is not None,
            last_words=self._people.last_words,
        )
        self.by_name |= self.moving.by_name
        controller.leases.upcoming = self.moving.upcoming

    # Labelling

    async def use_class(self, class_id: int) -> None:
        """Make a class the current one; in auto mode, a dispute or a review, assign it and go to the next image."""
        self._session.choose_class(class_id)
        if self.reviewing.takes_classes:
            await self.reviewing.answer(class_id)
        elif self.labels_at_once:
            await self._assign(advance=True)

    @property
    def labels_at_once(self) -> bool:
        """Whether the key of a class labels the image."""
        return self.auto or self._session.shows_disputes

    async def go_to(self, key: ImageKey) -> None:
        """Show another image of the list; nothing happens if it does not exist any more."""
        row = self._session.listing.row(key)
        if row is not None:
            self._session.go_to(row)

    async def ask_about(self, key: ImageKey) -> None:
        """Show another image of the list, and ask what to do with it."""
        from mia_tui.tui.label import pickers

        await self.go_to(key)
        row = self._session.current_row
        if row is None or self._session.current != key:
            return
        state = self._screen.seen(row)
        chosen = await self._screen.ask(
            pickers.image_menu(self._session, state, self._session.current_name, self._ink, can_accept=True)
        )
        if isinstance(chosen, int) and self.reviewing.takes_classes:
            await self.reviewing.answer(chosen)
        elif isinstance(chosen, int):
            await self._controller.assign([key], chosen)
        elif chosen is not None:
            await self.by_name[chosen]()

    async def _assign(self, *, advance: bool) -> None:
        key = self._session.current
        if key is None or await self.reviewing.keep_label():
            return
        if self._session.current_class is None and not await self._add_first_class():
            return
        chosen = self._session.current_class
        assert chosen is not None
        if self.reviewing.takes_classes:
            await self.reviewing.answer(chosen)
            return
        await self._controller.assign([key], chosen)
        if advance:
            self._screen.did("assign_next")
            await self.moving.go_on()

    async def _add_first_class(self) -> bool:
        from mia_tui.tui.classes.commands import add_classes

        title = "There is no class yet. What is the first one called? More of them: with commas between."
        hint = "{ok} gives this image the first of them."
        added = await add_classes(self._controller, self._screen, title, hint)
        if added:
            self._session.choose_class(added[0].id)
        return bool(added)

    async def _accept(self) -> None:
        if await self.reviewing.accept():
            return
        if self._session.shows_disputes:
            await self._people.keep_label()
            return
        row, key = self._session.current_row, self._session.current
        state = None if row is None else self._screen.seen(row)
        if state is None or key is None:
            self._screen.say("There is no image to accept a suggestion for.")
            return
        if state.suggestion is None:
            self._screen.say("There is no suggestion of a model for this image.")
            return
        if self._controller.live.has_just_changed and not self._screen.asked_network.is_on:
            name, accept = state.suggestion.name, self._screen.key("accept")
            self._screen.say(f"The suggestion has just changed: {accept} again accepts {name}.")
            return
        if not state.suggests_new:
            await self._controller.assign([key], state.suggestion.id, source="accepted")
        elif not await self._accept_new(key, state.suggestion.name):
            return
        self._screen.did("accept")
        await self.moving.go_on()
        if state.image_class is not None and state.differs:
            names = f"{state.suggestion.name} replaced {state.image_class.name}"
            self._screen.say(f"{names} of {key.path}; {self._screen.key('undo')} undoes that.")

    async def _accept_new(self, key: ImageKey, name: str) -> bool:
        network = self._screen.asked_network
        if network.model:
            return await self._suggestions.accept_new(key, name, network.model, network.new_classes)
        return await self._suggestions.accept_new(key, name, self._session.model, self._session.new_classes)

    async def _clear(self) -> None:
        key = self._session.current
        if key is not None and not await self._controller.clear([key]):
            self._screen.say("This image has no label.")

    async def _step_back(self, *, redo: bool) -> None:
        await step_back(self._controller, self._screen, self.reveal, redo=redo)
        await self.reviewing.refresh()

    async def _unlink(self) -> None:
        step = await self._controller.undo_links()
        if step is None:
            self._screen.say("No label followed a moved file.")
        else:
            self._screen.say(f"{step[0]} {self._screen.key('redo')} links again.")

    def reveal(self, applied: Applied) -> str:
        """Go where something changed; returns what to say about that."""
        if not len(applied.rows) or self._session.current_row in applied.rows:
            return ""
        return self._go_to(int(applied.rows[0]))

    async def _toggle_auto(self) -> None:
        self.auto = not self.auto
        if self._screen.context.user.auto_advance is None:
            keep(auto_advance=self.auto)
        self._screen.say(
            "Auto mode: the key of a class assigns it and shows the next image."
            if self.auto
            else "Auto mode is off."
        )

    # Marks

    async def _skip(self) -> None:
        row, key = self._session.current_row, self._session.current
        if row is None or key is None:
            return
        skipped = self._session.state_of(row).skipped
        await self._controller.skip([key], not skipped)
        if not skipped and not await self.reviewing.pass_on():
            await self.moving.go_on()

    async def _flag(self) -> None:
        row, key = self._session.current_row, self._session.current
        if row is not None and key is not None:
            await self._controller.flag([key], not self._session.state_of(row).flagged)

    async def _note(self) -> None:
        row, key = self._session.current_row, self._session.current
        if row is None or key is None or self.hides_notes():
            return
        from mia_tui.tui.dialogs import TextDialog

        old = self._session.state_of(row).note or ""
        text = await self._screen.ask(TextDialog(f"Note on {self._ink.fit_left(key.path, 50)}", value=old))
        if text is not None and text.strip() != old:
            await self._controller.note(key, text.strip() or None)

    # Other screens

    @property
    def tile_pictures(self) -> "TilePictures":
        return self._screen.tile_pictures

    async def show_pages(self, *, like: ImageKey | None = None, returns: bool = False) -> bool:
        """As every screen does, but not in an audit."""
        return not self.reviewing.stays_blind() and await super().show_pages(like=like, returns=returns)

    async def open_grid(self) -> None:
        if self.reviewing.stays_blind():
            return
        from mia_tui.tui.grid.screen import GridScreen

        self._controller.ways_back.opened("grid")
        is_pair = self.reviewing.show_pair()
        is_opened = await self._screen.ask(
            GridScreen(self._controller, self._screen.context, self.tile_pictures)
        )
        if is_pair:
            self.reviewing.end_pair()
        elif is_opened:
            self._controller.ways_back.opened_from("grid")
        self._screen.did("grid")

    async def leave_screen(self) -> None:
        tour = self._screen.context.tour
        if tour is not None and not tour.is_left:
            tour.leave()
            self._screen.say(
                f"The tour is left; {self._screen.key('command_palette')}, Tour takes it up again."
            )
            return
        home, quit = self._screen.key("home"), self._screen.key("quit")
        self._screen.say(f"There is nothing to go back to; {home} opens a folder, {quit} closes the app.")
