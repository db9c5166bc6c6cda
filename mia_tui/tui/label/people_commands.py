"""What several people say of the same images: the commands of the blind second pass and of disputes."""

from typing import TYPE_CHECKING

from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.text import counted
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.label.screen import LabelScreen

_SHARES = (0.05, 0.1, 0.2, 0.5, 1.0)


class PeopleCommands:
    """The commands about what several people say, of the labelling screen.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Every one of them, by the id of its action.
    """

    def __init__(self, controller: LabelController, screen: "LabelScreen", ink: Ink) -> None:
        self._controller, self._session, self._screen, self._ink = controller, controller.session, screen, ink
        self.by_name: dict[str, Command] = {"second_pass": self._second_pass, "disputes": self._disputes}

    async def keep_label(self) -> None:
        """Decide a dispute for the label that the image has."""
        row, key = self._session.current_row, self._session.current
        image_class = None if row is None else self._session.state_of(row).image_class
        if key is None or image_class is None:
            self._screen.say("This image has no label to keep: the key of a class decides.")
            return
        await self._controller.assign([key], image_class.id)
        if not self._session.move(1):
            self._screen.say(self.last_words())

    def last_words(self) -> str:
        """What to say at the end of a second pass, or of the disputes."""
        if self._session.is_blind:
            left = sum(class_id is None for class_id in self._session.people.mine.values())
            if left:
                key = self._screen.key("next_unlabelled")
                return f"This was the last image; {left:,} of the second pass are left: {key} goes there."
            return "The second pass is done; the command Disputes shows where you differ."
        left = len(self._session.rows_of(Filter(state="disputed")))
        return f"{counted(left, 'dispute')} left." if left else "All disputes are decided."

    async def _second_pass(self) -> None:
        """Begin the blind second pass, or go on with it; if nothing is drawn yet, draw."""
        mine = await self._find_mine()
        if not mine:
            drawn = await self._controller.store_thread.read(LabelStore.second_pass)
            if not drawn and not await self._draw():
                return
            mine = await self._find_mine()
        if not mine:
            self._screen.say(
                "The images drawn have labels of yours: somebody else labels them again, with this command."
            )
            return
        leave, undo = self._screen.key("leave"), self._screen.key("undo")
        self._controller.ways_back.show("filter", self._screen.SCOPE_NAME, Filter(state="second_pass"))
        self._session.first()
        if self._session.people.mine.get(self._session.current) is not None:  # type: ignore[arg-type]
            self._session.next_unlabelled()
        self._screen.say(f"Label them as if nobody had; labels stay. {leave} stops, {undo} undoes.")

    async def _find_mine(self) -> int:
        """Find out what there is to label again for this person; returns how many images."""
        annotator = self._controller.annotator
        found = await self._controller.store_thread.read(lambda store: store.second_pass_of(annotator)) or {}
        is_listed = self._session.listing.rows(list(found)) >= 0  # not those of missing files
        mine = {
            key: said for (key, said), here in zip(found.items(), is_listed.tolist(), strict=True) if here
        }
        self._session.people.mine = mine
        return len(mine)

    async def _draw(self) -> bool:
        """Ask how many images to draw, and draw them; False if nothing is drawn."""
        from mia_tui.dataset.store.review.opinions import choose_second_pass
        from mia_tui.tui.dialogs import Choice, PickDialog

        labelled = self._session.counts.labelled
        if not labelled:
            self._screen.say("There are no labels yet that somebody could give again.")
            return False
        counts = dict.fromkeys(max(1, round(share * labelled)) for share in _SHARES)
        choices = [
            Choice(f"{counted(count, 'image')}, {100 * count / labelled:.0f} %", count) for count in counts
        ]
        title = f"Draw how many of {counted(labelled, 'labelled image')} to be labelled again?"
        hint = "{ok} draws the same share of each class; whoever did not label them labels them again."
        count = await self._screen.ask(PickDialog(title, choices, self._ink, hint=hint))
        if count is None:
            return False
        active = {known.id for known in self._session.classes}

        def draw(store: LabelStore) -> int:
            labels = {key: one.class_id for key, one in store.labels().items() if one.class_id in active}
            return store.draw_second_pass(choose_second_pass(labels, store.second_pass(), count))

        return bool(await self._controller.write(draw, "second pass"))

    async def _disputes(self) -> None:
        """Show the images on which people differ; the key of a class decides."""
        found = self._session.rows_of(Filter(state="disputed"))
        if not len(found):
            self._screen.say("There are no disputes: where several people judged an image, they agree.")
            return
        self._controller.ways_back.show("filter", self._screen.SCOPE_NAME, Filter(state="disputed"))
        self._session.first()
        accept, leave = self._screen.key("accept"), self._screen.key("leave")
        self._screen.say(
            f"{counted(len(found), 'dispute')}: a class key decides, {accept} keeps the label; {leave} goes back."
        )
