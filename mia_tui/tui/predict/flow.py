"""From a key to a prediction at work: a network and images are chosen, what follows is said, and a worker starts.

The same for the labelling screen, the grid and the screens of runs.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mia_tui.catalog.metrics import metric_words
from mia_tui.dataset.session.image_choice import ImageChoice, image_choices
from mia_tui.dataset.store.errors import why_unwritable
from mia_tui.errors import CheckpointError, MiaError
from mia_tui.paths import typed_dataset, typed_path
from mia_tui.runs.actions.action import called
from mia_tui.runs.list.find import runs_of
from mia_tui.runs.list.lifecycle import drop_untrained_run
from mia_tui.runs.list.networks import KnownNetwork, class_sentence, known_networks, network_in, network_of
from mia_tui.runs.machine.gpus import computes_on_cpu
from mia_tui.runs.prediction.create import create_prediction
from mia_tui.runs.record.job_place import job_places
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.detach_risk import detach_risk
from mia_tui.runs.worker.launch import spawn, wait_until_taken
from mia_tui.runs.worker.liveness import lives
from mia_tui.runs.worker.queue import last_in_line
from mia_tui.text import counted, typed
from mia_tui.tui.dialogs import Choice, PickDialog, Question
from mia_tui.tui.label.words import shown_filter
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import Ink

_NAME_COLUMNS, _DATASET_COLUMNS = 34, 16


@dataclass(frozen=True)
class _Start:
    """When the prediction starts: at once, or when another run has ended."""

    after: RunDir | None


class NetworkDialog(PickDialog[KnownNetwork | Path]):
    """A wide list of networks; the path of any other can be typed."""

    IS_WIDE = True


async def predict_images(
    screen: KeyedScreen[Any], opened: OpenDataset, run: RunDir | None = None
) -> RunDir | None:
    """Ask what to predict with which network, and start that; the prediction, or None if it was cancelled.

    Args:
        screen: Asks, and says what happens.
        opened: The dataset.
        run: The training whose network is offered first.

    Raises:
        MiaError: If the run has no weights, or the prediction cannot be started.
    """
    network = await _choose_network(screen, opened, run)
    images = await _choose_images(screen, opened) if network is not None else None
    if network is None or images is None:
        return None
    start = await _ask_whether(screen, opened, network, images)
    if start is None:
        return None
    risk = await asyncio.to_thread(detach_risk)
    if risk is not None:
        screen.show_message(f"{risk.message} {risk.hint}", warning=True, long=True)
    screen.say(f"Starting the prediction by {network.name}")
    return await asyncio.to_thread(_begin, opened, network, images, start.after)


async def watch_prediction(screen: KeyedScreen[Any], run: RunDir, opened: OpenDataset) -> OpenImages | None:
    """Show a prediction until the person goes back, while it continues; images that they want to see, or None."""
    from mia_tui.tui.runs.run_screen import RunScreen

    images = await screen.ask(RunScreen(run, opened, screen.context))
    continues = await asyncio.to_thread(lives, run)
    screen.say(
        "You can go on labelling: suggestions appear when a prediction has finished." if continues else ""
    )
    return images


# The network


async def _choose_network(
    screen: KeyedScreen[Any], opened: OpenDataset, run: RunDir | None
) -> KnownNetwork | None:
    networks = await asyncio.to_thread(_networks, opened, run)
    error = ""
    while True:
        chosen = await screen.ask(_network_dialog(networks, opened, screen.context.ink, error))
        if not isinstance(chosen, Path):
            return chosen
        try:
            return await asyncio.to_thread(network_in, chosen)
        except CheckpointError as refused:
            error = str(refused)


def _networks(opened: OpenDataset, run: RunDir | None) -> list[KnownNetwork]:
    first = [] if run is None else [network_of(run, opened.dataset)]
    others = known_networks(opened.dataset, opened.state)
    return first + [other for other in others if all(other.weights != network.weights for network in first)]


def _network_dialog(
    networks: Sequence[KnownNetwork], opened: OpenDataset, ink: Ink, error: str
) -> NetworkDialog:
    names = [ink.fit_left(network.name, _NAME_COLUMNS) for network in networks]
    columns = max(map(ink.width, names), default=0)
    return NetworkDialog(
        "Predict with which network?",
        [
            Choice(f"{ink.pad(name, columns)}  {_network_words(network, opened, ink)}", network)
            for name, network in zip(names, networks, strict=True)
        ],
        ink,
        hint="{ok} chooses it, {cancel} changes nothing; the path of a weights file can be typed.",
        typed=lambda text: typed_path(text) if text.strip() else None,
        error=ink.shown(error),
    )


def _network_words(network: KnownNetwork, opened: OpenDataset, ink: Ink) -> str:
    """Its classes, how good it was, and whose it is if not of the open dataset."""
    card = network.card
    words = [counted(len(card.classes), "class", "classes")]
    if card.value is not None:
        words.append(f"best by {metric_words(card.metric)}, {card.value:.3f}")
    if network.dataset is not None and network.dataset != opened.dataset:
        words.append(f"of {ink.fit(network.dataset.name, _DATASET_COLUMNS)}")
    return ", ".join(words)


# The images


async def _choose_images(screen: KeyedScreen[Any], opened: OpenDataset) -> ImageChoice | None:
    session = opened.session
    if session is None:
        return ImageChoice("all images", 0)
    found = image_choices(session, shown_filter(session.filter, session, screen.context.ink))
    if len(found) == 1:
        return found[0]
    choices = [Choice(f"{choice.words} ({choice.count:,})", choice) for choice in found]
    return await screen.ask(
        PickDialog("Predict which images?", choices, screen.context.ink, searchable=False)
    )


# The start


async def _ask_whether(
    screen: KeyedScreen[Any], opened: OpenDataset, network: KnownNetwork, images: ImageChoice
) -> _Start | None:
    ahead, place = await asyncio.to_thread(_ahead_and_place, opened)
    many = counted(images.count, "image") if images.count else "all images"
    session = opened.session
    names = [] if session is None else [image_class.name for image_class in session.classes]
    sentences = [
        f"{network.name} predicts {images.words}.",
        class_sentence([item.name for item in network.card.classes], names),
        "What it predicts are suggestions; only you make labels.",
        f"They are kept in {place}.",
    ]
    answers: list[tuple[str, _Start | None]] = [("Predict", _Start(None))]
    if ahead is not None:
        name = await asyncio.to_thread(called, ahead)
        sentences.append(f"The run {name} is in progress; two at once slow each other down.")
        answers = [("Predict now", _Start(None)), ("After that run", _Start(ahead))]
    text = "\n".join(map(screen.context.ink.shown, sentences))
    question: Question[_Start | None] = Question(f"Predict {many}?", text, [*answers, ("Cancel", None)])
    return await screen.ask(question)


def _ahead_and_place(opened: OpenDataset) -> tuple[RunDir | None, Path]:
    """The run to queue behind, and the folder that the prediction will be in."""
    runs, places = runs_of(opened.dataset, opened.state), job_places(opened.dataset, opened.state)
    writable = (place for place in places if why_unwritable(place.runs / "run") is None)
    return last_in_line(runs), next(writable, places[-1]).runs


def _begin(opened: OpenDataset, network: KnownNetwork, images: ImageChoice, after: RunDir | None) -> RunDir:
    """Make the run and start its worker; blocking, so for a thread."""
    run = create_prediction(
        opened.dataset,
        network.weights,
        state=opened.state,
        keys=None if images.keys is None else images.keys(),
        after=after,
        command=_command(opened, network) if images.keys is None else "",
        scope=images.words,
    )
    try:
        wait_until_taken(run, spawn(run, gives_way=computes_on_cpu(run.job().config.device)))
    except MiaError as error:
        drop_untrained_run(run, error)
        raise
    return run


def _command(opened: OpenDataset, network: KnownNetwork) -> str:
    """The command line that does the same."""
    dataset = typed_dataset(opened.dataset.resolve(), opened.state)
    return f"mia-tui predict {dataset} --run {typed(network.weights.resolve())}"
