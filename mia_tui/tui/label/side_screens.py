"""The screens that the labelling screen and the grid open, imported when they are opened: 60 ms less at the start."""

from typing import Protocol

from mia_tui.dataset.session.filters import Filter
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.list_commands import Face
from mia_tui.tui.label.view_settings import Glance
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.open_dataset import OpenDataset, OpenImages


class OpenerFace(Face, Protocol):
    """What these commands need of the labelling screen."""

    def lay_out(self) -> None:
        """Make room for other classes than before."""


def side_screens(
    desk: LabelController, context: Context, glance: Glance, face: OpenerFace
) -> dict[str, Command]:
    """The commands of the labelling screen by the id of their action."""

    async def open_grid() -> None:
        from mia_tui.tui.grid.screen import GridScreen

        if await face.ask(GridScreen(desk, context)):
            glance.next_image()

    async def open_classes() -> None:
        from mia_tui.tui.classes.screen import ClassesScreen

        chosen = await face.ask(ClassesScreen(desk, context))
        if chosen is not None:
            desk.session.choose_class(chosen)
        face.lay_out()

    async def open_help() -> None:
        from mia_tui.tui.help import HelpScreen

        await face.ask(HelpScreen(context))

    return {
        "grid": open_grid,
        "classes": open_classes,
        "help": open_help,
        **run_screens(desk, context, face),
    }


def run_screens(desk: LabelController, context: Context, face: Face) -> dict[str, Command]:
    """Training and its runs, from wherever one labels: the commands by the id of their action."""
    place = OpenDataset(desk.dataset, context.state, desk.annotator)

    async def train() -> None:
        from mia_tui.tui.training.screen import TrainScreen

        run = await face.ask(TrainScreen(place, context))
        if run is not None:
            from mia_tui.tui.runs.run_actions import watch_started

            look_at(await watch_started(run, place, context, face.ask))

    async def open_runs() -> None:
        from mia_tui.tui.runs.table_screen import RunsScreen

        look_at(await face.ask(RunsScreen(place, context)))

    def look_at(images: OpenImages | None) -> None:
        if images is not None:
            desk.session.set_filter(Filter(among=images.keys, among_words=images.title))
            shown, back = len(desk.session.view), f"{face.key('filter')} shows others again."
            words = f"{counted(shown, 'image')}: {images.title}." if shown else "They are not there any more."
            face.say(f"{words} {back}")

    return {"train": train, "runs": open_runs}
