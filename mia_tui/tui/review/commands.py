"""What the keys of a review do: begin one, keep a label or change it, go on to the next image that is doubtful."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter, Order
from mia_tui.dataset.store.records import LabelOrigin
from mia_tui.errors import DataError
from mia_tui.text import counted, percent, printable
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.review.queue import TITLES, Doubt, Doubted, Review, ReviewQueue
from mia_tui.tui.textual_private import messages_shown, take_messages_away
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.dataset.store.review.audits import AuditDraw
    from mia_tui.tui.label.screen import LabelScreen
    from mia_tui.tui.review.chooser import Begun
    from mia_tui.tui.review.finder import DoubtFinder

_SUREST_FIRST: tuple[Order, bool] = ("confidence", True)
_LEAST_SURE_FIRST: tuple[Order, bool] = ("confidence", False)


class ReviewCommands:
    """The commands about reviews of a labelling screen.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Those that have keys, by the id of the action.
        review: Which queue is on.
    """

    def __init__(self, controller: LabelController, screen: "LabelScreen", ink: Ink) -> None:
        self._controller, self._session, self._screen, self._ink = controller, controller.session, screen, ink
        self.review = Review(controller.session, ink)
        self._known_finder: DoubtFinder | None = None
        self._pair: Filter | None = None  # that the grid shows side by side
        self.by_name: dict[str, Command] = {
            "review": self._choose,
            "keep": self._keep,
            "twin": self._show_twin,
            "progress": self._show_progress,
        }

    @property
    def _finder(self) -> "DoubtFinder":
        if self._known_finder is None:
            from mia_tui.tui.review.finder import DoubtFinder  # not needed for the first picture

            self._known_finder = DoubtFinder(self._controller)
        return self._known_finder

    def stays_blind(self) -> bool:
        """Whether labels and suggestions are hidden now, which is said then: what was asked for would show them."""
        if self.review.is_blind:
            leave = self._screen.key("leave")
            self._screen.say(f"In an audit labels and suggestions are hidden; {leave} stops it.")
        return self.review.is_blind

    # Beginning

    async def _choose(self) -> None:
        from mia_tui.tui.review.chooser import ReviewChooser

        chosen = await self._screen.ask(
            ReviewChooser(self._session, self._finder, self._ink, await self._asked())
        )
        if chosen is not None:
            await self._begin(chosen)

    async def _asked(self) -> "Mapping[Begun, str]":
        """What the chooser says of what is stored in labels.db."""
        from mia_tui.tui.review import audit

        audits = await audit.read_audits(self._controller)
        known = audit.open_audit(audits, self._session)
        done, _ = audit.counting(audits, self._session, self._controller.suggestions.whose)
        right = ", ".join(f"{kind}s right: {audit.percents_of(each)}" for kind, each in done.items())
        if known is not None:
            return {"audit": f"{len(known.answered):,} of {len(known.rows):,} done", "progress": right}
        answered = (f"{counted(len(each.answered), kind)} done" for kind, each in done.items())
        return {"audit": ", ".join(answered), "progress": right}

    async def _begin(self, chosen: "Begun") -> None:
        if chosen in TITLES:
            await self._begin_doubts(chosen)
        elif chosen == "audit":
            await self._begin_audit()
        elif chosen == "progress":
            await self._show_progress()
        elif chosen == "disputes":
            await self._screen.commands.by_name["disputes"]()
        else:
            await self._show_suggestions(chosen)

    async def _show_suggestions(self, chosen: "Begun") -> None:
        screen = self._screen
        if not self._session.model:
            with suppress(DataError):  # nobody has looked at the images
                await self._controller.live.learn_now()
        if not self._session.model:
            predict, ask = screen.key("predict"), screen.key("ask")
            screen.say(f"There are no suggestions yet: {predict} makes them, {ask} asks a network.")
            return
        shown, order, words = Filter("suggested"), _SUREST_FIRST, "the surest first"
        if chosen == "differs":
            shown, words = Filter("differs"), "where label and suggestion differ, the surest first"
        elif chosen == "least_sure":
            order, words = _LEAST_SURE_FIRST, "the least sure first"
        elif chosen == "by_class":
            found = await self._ask_class()
            if found is None:
                return
            shown = found
        if not len(self._session.rows_of(shown)):
            screen.say(self._no_suggestions(shown))
            return
        self._show(shown, order)
        how = f"{screen.key('accept')} takes a suggestion"
        grid = f", {screen.key('grid')} shows many at once" if order is _SUREST_FIRST else ""
        screen.say(f"{counted(len(self._session.view), 'image')}, {words}: {how}{grid}.")

    def _no_suggestions(self, shown: Filter) -> str:
        if shown.state == "differs":
            return "Model and labels agree on all images."
        if not self._session.counts.left:
            return "All images have a label or are skipped: no suggestion is left."
        return "No image has such a suggestion now."

    async def _ask_class(self) -> Filter | None:
        from mia_tui.tui.classes.pickers import class_chip
        from mia_tui.tui.dialogs import Choice, PickDialog

        choices = []
        for image_class in self._session.classes:
            wanted = Filter("suggested", class_id=image_class.id)
            name = f"{printable(image_class.name)} ({len(self._session.rows_of(wanted)):,})"
            choices.append(Choice(name, wanted, class_chip(image_class, self._ink)))
        title = "Suggestions of which class? The surest come first."
        return await self._screen.ask(PickDialog(title, choices, self._ink))

    async def _begin_doubts(self, kind: Doubted) -> None:
        screen = self._screen
        screen.say(f"Looking for {TITLES[kind]}{self._ink.more}")
        screen.show()
        found = await self._finder.find((kind,))
        if found.why_not:
            screen.say(found.why_not)
            return
        doubts = found.doubts[kind]
        if not doubts:
            screen.say(f"There are no {TITLES[kind]}, as far as can be told from {found.of}.")
            return
        self._show_queue(ReviewQueue(kind, doubts))
        title, shown = TITLES[kind], len(self._session.view)
        screen.say(f"{title[0].upper()}{title[1:]}: {shown:,}; {screen.key('leave')} goes back.")

    def _show_queue(self, queue: ReviewQueue) -> None:
        take_messages_away(
            self._screen.app, messages_shown(self._screen.app)
        )  # the question takes their line
        self.review.begin(queue)
        self._show(queue.filter, ("given", False))

    def _show(self, shown: Filter, order: tuple[Order, bool]) -> None:
        self._controller.ways_back.show("review", self._screen.SCOPE_NAME, shown, order=order)
        self._session.first()

    # Answering

    @property
    def takes_classes(self) -> bool:
        """Whether the key of a class answers for the image on screen."""
        return self.review.doubt_about(self._session.current) is not None

    async def answer(self, class_id: int, *, source: LabelOrigin = "person") -> None:
        """Give the image on screen a class, and go on to the next that is to be decided."""
        key, queue = self._session.current, self.review.queue
        if key is None or queue is None:
            return
        if queue.kind == "audit":
            await self._answer_audit(queue, key, class_id)
        else:
            await self._controller.assign([key], class_id, source=source)
            doubt = queue.doubts[key]
            if doubt.said == class_id:
                await self._settle(queue, doubt)
        await self._go_on()

    async def accept(self) -> bool:
        """Give the image on screen the class that is likelier; False if no queue suggests one."""
        doubt = self.review.doubt_about(self._session.current)
        if doubt is None:
            return False
        if self.review.is_blind:
            self._screen.say("What a model says is hidden in an audit: the key of a class answers.")
            return True
        if doubt.suggested:
            await self.answer(doubt.suggested, source="accepted")
        return bool(doubt.suggested)

    async def keep_label(self) -> bool:
        """Keep the label of the image on screen that is doubted; False if none is.

        The key that gives the current class and goes on does so, too: in a review it stands for what was said.
        """
        queue, doubt = self.review.queue, self.review.doubt_about(self._session.current)
        if queue is None or doubt is None or queue.is_blind or not doubt.said:
            return False
        await self._settle(queue, doubt)
        await self._go_on()
        return True

    async def pass_on(self) -> bool:
        """After an image of an audit was skipped: go on to the next one that is to be answered. False elsewhere."""
        is_blind = self.review.is_blind
        if is_blind:
            await self._go_on()
        return is_blind

    async def _keep(self) -> None:
        if await self.keep_label():
            return
        queue, key = self.review.queue, self._session.current
        if queue is not None and key is not None and queue.kind == "unfamiliar":
            queue.settled.add(key)
            await self._go_on()
        else:
            self._screen.say(f"No label is doubted here; {self._screen.key('review')} begins a review.")

    async def _settle(self, queue: ReviewQueue, doubt: Doubt) -> None:
        """Keep a label as it is: it is not asked about again."""
        issue, keys = queue.kind, [doubt.key] if doubt.twin is None else [doubt.key, doubt.twin]
        if issue in ("label", "duplicate", "outlier"):
            await self._controller.write(
                lambda store: store.keep_issues(keys, issue), f"{doubt.key.path}: kept"
            )
        queue.settled.update(keys)

    async def refresh(self) -> None:
        """After an undo or redo: read what is kept and answered now."""
        queue = self.review.queue
        if queue is None:
            return
        issue = queue.kind
        if issue == "audit":
            from mia_tui.tui.review.audit import read_audits

            rows = await read_audits(self._controller)
            answered = {row.image for row in rows if row.answer is not None}
            queue.settled = answered & set(queue.doubts)
        elif issue != "unfamiliar":
            queue.settled = await self._controller.store_thread.read(lambda store: store.kept(issue)) or set()

    def show_pair(self) -> bool:
        """Before the grid opens: show there the image on screen and the one that looks the same, and no others.

        Returns whether it has such a one.
        """
        doubt = self.review.doubt_about(self._session.current)
        if doubt is None or doubt.twin is None:
            return False
        self._pair = Filter(among=(doubt.key, doubt.twin), among_words="two that look the same")
        self._controller.ways_back.show("review", "grid", self._pair, order=("given", False))
        return True

    def end_pair(self) -> None:
        """After the grid: show the review again, with the image of the pair that was current there."""
        row = self._session.current_row
        if self._session.filter is self._pair:
            self._controller.ways_back.take("grid")
            if row is not None:
                self._session.go_to(row)

    # The audit

    async def _begin_audit(self) -> None:
        from mia_tui.tui.review import audit

        known = audit.open_audit(await audit.read_audits(self._controller), self._session)
        if known is None:
            known = await self._draw_audit()
        if known is None:
            return
        self._show_queue(audit.queue_of(known, self._session))
        leave = self._screen.key("leave")
        self._screen.say(f"What was said of them is hidden until you have answered; {leave} stops.")

    async def _draw_audit(self) -> "AuditDraw | None":
        from mia_tui.tui.review import audit

        screen = self._screen
        if self._session.new_classes:
            screen.say("The model suggests classes that you do not have: add them first, in the palette.")
            return None
        dialog = audit.size_dialog(self._session, self._ink)
        if dialog is None:
            screen.say("There is nothing to audit: neither a label nor a suggestion.")
            return None
        chosen = await screen.ask(dialog)
        return None if chosen is None else await audit.draw(self._controller, *chosen)

    async def _answer_audit(self, queue: ReviewQueue, key: ImageKey, class_id: int) -> None:
        from mia_tui.tui.review.audit import answer

        row = await answer(self._controller, key, class_id)
        queue.settled.add(key)
        if row is None:
            return
        said = None if row.said_class_id is None else self._session.class_of(row.said_class_id)
        name = "?" if said is None else printable(said.name)
        sure = "" if row.probability is None else f" {percent(row.probability)}"
        verdict = "Right" if row.is_right else "Wrong"
        self._screen.say(f"{verdict}: the {row.kind} was {name}{sure}.")

    async def _end_audit(self) -> None:
        """All are answered: show what came of it."""
        self._controller.ways_back.take(self._screen.SCOPE_NAME)
        await self._show_progress()

    async def _show_progress(self) -> None:
        from mia_tui.tui.review.progress_screen import ProgressScreen

        wanted = await self._screen.ask(ProgressScreen(self._controller, self._screen.context))
        if wanted:
            await self._begin_audit()

    async def _go_on(self) -> None:
        """Go to the next image that is to be decided, from the end back to the first."""
        session, place = self._session, self.review.next_open()
        here = session.position or 0
        if place is not None:
            if place < here and not self.review.is_blind:
                self._screen.say("Continued from the beginning with those that are left.")
            session.move(place - here)
        elif self.review.is_blind:
            await self._end_audit()
        else:
            self._screen.say(f"All of these are decided; {self._screen.key('leave')} goes back.")

    async def _show_twin(self) -> None:
        doubt = self.review.doubt_about(self._session.current)
        row = None if doubt is None or doubt.twin is None else self._session.listing.row(doubt.twin)
        if row is None or not self._session.go_to(row):
            self._screen.say("There is no image beside this one that looks the same.")
