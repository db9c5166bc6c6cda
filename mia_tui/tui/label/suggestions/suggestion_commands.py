"""Commands about what models suggest: whose suggestions are shown, where two models differ, classes that are new."""

from typing import TYPE_CHECKING, Any

from mia_tui.dataset.model import ImageKey
from mia_tui.text import counted, name_some
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.controller.suggestions import LiveSet
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.runs.prediction.suggestions import SuggestionSet

_MODEL_COLUMNS = 30


class SuggestionCommands:
    """The commands about suggestions of one screen.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Those that have keys, by the id of the action.
    """

    def __init__(self, controller: LabelController, screen: KeyedScreen[Any], ink: Ink) -> None:
        self._controller, self._session, self._screen, self._ink = controller, controller.session, screen, ink
        self.by_name: dict[str, Command] = {
            "suggestions": self._choose,
            "add_new_classes": self._add_new_classes,
        }

    async def compare(self) -> bool:
        """Choose what the suggestions shown are compared with; if there is one other set, that. False if nothing."""
        suggestions, model = self._controller.suggestions, self._session.model
        others = [each for each in await self._known() if each != self._shown]
        if not model or not others:
            what = "no other" if model else "no"
            self._screen.say(f"There is nothing to compare: {what} prediction of this dataset was made yet.")
            return False
        title = f"Where {self._ink.fit_left(model, _MODEL_COLUMNS)} differs from which?"
        hint = "{ok} shows the images for which both suggest a class, and not the same."
        chosen = others[0] if len(others) == 1 else await self._pick(others, title, hint)
        if chosen is not None:
            await suggestions.compare(chosen)
        return chosen is not None

    async def accept_new(self, key: ImageKey, name: str, model: str, new: tuple[str, ...]) -> bool:
        """Ask whether to add a class that the dataset does not have, and label the image with it if so.

        Args:
            key: The image.
            name: Of the class.
            model: What suggests it.
            new: All classes of that model that the dataset does not have.
        """
        from mia_tui.tui.dialogs import Question

        answers: list[tuple[str, tuple[str, ...]]] = [("No", ()), ("Yes, add it", (name,))]
        text = (
            f"{model} suggests it, and this dataset has no class of that name. The image gets it as "
            f"its label; {self._screen.key('undo')} undoes both."
        )
        if len(new) > 1:
            answers.append((f"All {len(new):,} new ones", new))
            text += f"\n\nThe new classes of this model are {name_some(new)}."
        title, text = self._ink.shown(f"Add the class {name}?"), self._ink.shown_lines(text)
        names = await self._screen.ask(Question(title, text, answers))
        if names:
            await self._controller.add_and_assign(key, name, names)
        return bool(names)

    async def _choose(self) -> None:
        known = await self._known()
        if not known:
            key = self._screen.key("predict")
            self._screen.say(f"No prediction of this dataset was made yet; {key} makes one.")
            return
        hint = "{ok} shows these and no others, {cancel} changes nothing."
        chosen = await self._pick(known, "Whose suggestions?", hint)
        if isinstance(chosen, LiveSet):
            self._screen.say(self._controller.suggestions.choose_live())
        elif chosen is not None:
            self._screen.say(await self._controller.suggestions.show(chosen))

    async def _known(self) -> "list[SuggestionSet | LiveSet]":
        suggestions = self._controller.suggestions
        live = suggestions.live_set
        return [*([] if live is None else [live]), *await suggestions.known()]

    @property
    def _shown(self) -> "SuggestionSet | LiveSet | None":
        suggestions = self._controller.suggestions
        return suggestions.live_set if suggestions.is_live else suggestions.shown

    async def _pick(
        self, known: "list[SuggestionSet | LiveSet]", title: str, hint: str
    ) -> "SuggestionSet | LiveSet | None":
        from mia_tui.tui.label import pickers

        images = len(self._session.listing)
        return await self._screen.ask(
            pickers.suggestions(known, self._shown, images, self._ink, title=title, hint=hint)
        )

    async def _add_new_classes(self) -> None:
        names = self._session.new_classes
        if not names:
            self._screen.say("The model suggests no class that you do not have.")
            return
        what = counted(len(names), "class", "classes")
        await self._controller.write(lambda store: store.add_classes(names), what)
        self._screen.say(f"Added {name_some(names)}; {self._screen.key('undo')} undoes that.")
