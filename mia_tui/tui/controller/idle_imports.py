"""Imports what the screens need that open from another one, before somebody opens them.

At the start the app imports only what its first screen needs. The others need up to 100 ms more, which the first
key for each of them would wait for. So they are imported while nobody presses a key, in pieces that hold up none for
long.
"""

import asyncio
from collections.abc import Callable
from importlib import import_module

PIECES = (
    "mia_tui.tui.dialogs",
    "mia_tui.tui.keys.palette",
    "mia_tui.tui.help",
    "mia_tui.tui.mosaic.tile_screen",
    "mia_tui.tui.grid.screen",
    "mia_tui.active.pages",
    "mia_tui.features.layout",
    "mia_tui.features.table",
    "mia_tui.tui.live.learner_thread",
    "mia_tui.active.groups",
    "mia_tui.tui.live.learner",
    "mia_tui.active.comparison",
    "mia_tui.tui.live.networks",
    "mia_tui.tui.look_alikes.screen",
    "mia_tui.tui.classes.screen",
    "mia_tui.tui.review.chooser",
    "mia_tui.config.train",
    "mia_tui.config.check",
    "mia_tui.runs.record.job",
    "mia_tui.runs.record.events",
    "mia_tui.runs.record.state",
    "mia_tui.runs.list.lifecycle",
    "mia_tui.runs.preflight.checks",
    "mia_tui.runs.preflight.prepare",
    "json",
    "mia_tui.runs.worker.helper",
    "mia_tui.tui.training.preview",
    "mia_tui.tui.training.commands",
    "mia_tui.tui.training.screen",
    "mia_tui.tui.training.check_screen",
    "statistics",
    "mia_tui.runs.evaluation.confusion",
    "mia_tui.tui.runs.watch",
    "mia_tui.tui.runs.words",
    "safetensors",
    "mia_tui.runs.prediction.predictions",
    "mia_tui.tui.runs.run_actions",
    "mia_tui.tui.runs.run_table",
    "mia_tui.tui.runs.table_screen",
    "mia_tui.tui.runs.figures.text_plots",
    "mia_tui.tui.review.progress_screen",
    "mia_tui.tui.runs.pages",
    "mia_tui.tui.runs.run_screen",
    "mia_tui.runs.list.comparison",
    "mia_tui.tui.runs.compare_screen",
    "mia_tui.tui.runs.gallery",
    "mia_tui.dataset.split.name_groups",
    "mia_tui.runs.evaluation.results",
    "mia_tui.runs.counts.table",
    "mia_tui.tui.counts.asking",
    "mia_tui.tui.counts.screen",
    "mia_tui.analysis.metrics",
    "mia_tui.analysis.curves",
    "mia_tui.tui.results.computed",
    "mia_tui.runs.record.decision",
    "mia_tui.tui.results.metric_pages",
    "mia_tui.tui.results.screen",
    "mia_tui.tui.results.commands",
    "mia_tui.runs.evaluation.pairs",
    "mia_tui.tui.results.pair_screen",
    "mia_tui.tui.results.evaluating",
    "mia_tui.tui.results.returning",
    "html",
    "markdown_it.ruler",
    "mdurl",
    "markdown_it.rules_block",
    "markdown_it.common.utils",
    "markdown_it.parser_block",
    "markdown_it.parser_inline",
    "markdown_it",
    "pygments.filters",
    "pygments.lexer",
    "rich.markdown",
    "importlib.resources",
    "mia_tui.tui.manual.text",
    "mia_tui.tui.manual.screen",
    "mia_tui.tui.predict.flow",
    "mia_tui.tui.interchange.import_flow",
    "mia_tui.tui.interchange.export_flow",
    "mia_tui.tui.interchange.network_export",
    "mia_tui.tui.home.folders",
    "mia_tui.tui.home.screen",
)
"""What is needed by others comes first, so that no piece takes much longer than 10 ms."""

_PAUSE_S = 0.02


async def import_screens(*, is_idle: Callable[[], bool]) -> None:
    """Import all of `PIECES`, one after the other.

    Args:
        is_idle: Whether nobody pressed a key for a moment.
    """
    for name in PIECES:
        await asyncio.sleep(_PAUSE_S)
        while not is_idle():
            await asyncio.sleep(_PAUSE_S)
        import_module(name)
