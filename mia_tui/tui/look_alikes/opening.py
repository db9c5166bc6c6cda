"""How the pages of look-alikes are opened from other screens, and what is said where there can be none yet."""

from typing import TYPE_CHECKING, Any

from mia_tui.dataset.model import ImageKey
from mia_tui.text import printable
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.look_alikes.pages import Pages
from mia_tui.tui.look_alikes.sources import LearnedPages, Neighbours, PageSource, SuggestedPages
from mia_tui.tui.mosaic.tile_pictures import TilePictures

if TYPE_CHECKING:
    from mia_tui.tui.label.session_screen import SessionScreen


def pages_of(controller: LabelController) -> Pages:
    """The pages of an open dataset."""
    from mia_tui.tui.look_alikes.live_head import LiveHead

    if controller.look_alikes is None:
        controller.look_alikes = Pages(controller, LiveHead(controller))
    return controller.look_alikes


async def open_look_alikes(
    controller: LabelController,
    screen: "SessionScreen[Any]",
    pictures: TilePictures,
    *,
    like: ImageKey | None = None,
    returns: bool = False,
) -> bool:
    """Show pages of look-alikes, or say on the screen why there can be none yet.

    Returns whether one of their images is to be shown on the labelling screen now.

    Args:
        controller: The dataset.
        screen: Where they were asked for.
        pictures: Those of tiles.
        like: The image that all should be like; None for pages of classes.
        returns: Whether the page is shown again that was left to see one of its images.
    """
    pages = pages_of(controller)
    if not returns or pages.page is None:
        words = await _begin(controller, pages, like)
        if words:
            screen.say(words)
            return False
    from mia_tui.tui.look_alikes.screen import LookAlikesScreen

    controller.ways_back.opened("look_alikes")
    is_opened = await screen.ask(LookAlikesScreen(controller, screen.context, pages, pictures))
    return bool(is_opened)


async def _begin(controller: LabelController, pages: Pages, like: ImageKey | None) -> str:
    if like is None:
        return await begin(controller, pages)
    session = controller.session
    row = session.listing.row(like)
    state = None if row is None else session.state_of(row)
    known = (None, None) if state is None else (state.image_class, state.suggestion)
    class_id = next((one.id for one in known if one is not None and one.id), session.current_class)
    return await begin_like(controller, pages, like, class_id, beside=False)


async def begin(controller: LabelController, pages: Pages) -> str:
    """Show pages of what is suggested now; returns a sentence that says why there are none, else nothing."""
    sources: list[PageSource] = [LearnedPages(pages.head, controller.session)]
    if controller.suggestions.shown is not None:
        sources.insert(0, SuggestedPages(controller.suggestions.shown, controller.session))
    why = ""
    for source in sources:
        missing = await source.what_is_missing()
        if not missing and await pages.try_source(source):
            return ""
        why = why or missing
    return why or "Every image for which a class is suggested has a label, or is skipped or flagged."


async def begin_like(
    controller: LabelController, pages: Pages, key: ImageKey, class_id: int | None, *, beside: bool
) -> str:
    """Show the images that are most like one; returns a sentence that says why there are none, else nothing.

    Args:
        controller: The dataset.
        pages: Its pages.
        key: The image.
        class_id: The class that all of them get.
        beside: Whether leaving them leads back to the page that is shown now.
    """
    if class_id is None:
        return "There is no class yet that they could get."
    source = Neighbours(key, class_id, pages.head, controller.session)
    missing = await source.what_is_missing()
    if missing:
        return missing
    return (
        ""
        if await pages.try_source(source, beside=beside)
        else (f"No image without a label is left to be compared with {printable(key.path)}.")
    )
