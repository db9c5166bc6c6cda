"""Images of unequal kinds in one set: depth, channels, pixel size. Only the heads of some files are read."""

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.network.geometry import place
from mia_tui.dataset.images.network.selection import channel_names, find_channels, is_picture, value_type
from mia_tui.dataset.images.reading import opened
from mia_tui.dataset.images.source import Scene
from mia_tui.errors import DecodeError
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.preflight.finding import CheckFinding
from mia_tui.runs.preflight.images import CheckProgress
from mia_tui.runs.record.input_words import type_words
from mia_tui.runs.record.job import Sample
from mia_tui.text import counted, join_names, name_faults, name_some, printable

_OPENED = 500  # images of a set
_TOGETHER = 100
_NAMED = 3
_LOST = 4  # times as wide and as high as the largest image is an input that is mostly black
_LIMIT_S = 3.0

_Seen = list[tuple[str, Scene]]
"""Images, each with its path in the dataset."""


def unequal_kinds(
    root: Path,
    samples: Sequence[Sample],
    config: TrainConfig,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    limit_s: float = _LIMIT_S,
) -> Iterator[CheckFinding]:
    """Find images that a network cannot be given alike, as far as a sample shows.

    Args:
        root: Folder that the samples' paths are relative to.
        samples: The images of a run.
        config: Its intensity, channels, pixel_size, stack and max_megapixels are read.
        should_stop: Asked often.
        limit_s: After so long no more images are opened.

    Raises:
        CheckStopped: If `should_stop` answered True.
    """
    progress = CheckProgress(time.monotonic() + limit_s, lambda done, total: None, should_stop)
    seen = _look(root, samples, config, progress)
    if config.intensity != "image":
        yield from _depths(seen)
        if not config.channel_names:
            yield from _channel_counts(seen)
    if config.channel_names:
        yield from _without_channels(seen, config.channel_names)
    if config.pixel_size is not None:
        yield from _without_pixel_size(seen)
        yield from _unlike_the_input(seen, config, config.pixel_size)


def _look(root: Path, samples: Sequence[Sample], config: TrainConfig, progress: CheckProgress) -> _Seen:
    chosen = random.Random(0).sample(range(len(samples)), min(_OPENED, len(samples)))
    source = iter([samples[row] for row in sorted(chosen)])
    seen: _Seen = []
    done = 0
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="check") as pool:
        while progress(done, len(chosen)) and (some := list(islice(source, _TOGETHER))):
            found = pool.map(partial(_scene, root, config), some)
            seen += [
                (sample.path, scene) for sample, scene in zip(some, found, strict=True) if scene is not None
            ]
            done += len(some)
    return seen


def _scene(root: Path, config: TrainConfig, sample: Sample) -> Scene | None:
    """None where the image cannot be read, which others report."""
    try:
        with opened(root / sample.path, sample.frame, config.max_megapixels, stack=config.stack) as image:
            return image.scene if image.scene.problem is None else None
    except DecodeError:
        return None


def _depths(seen: _Seen) -> Iterator[CheckFinding]:
    groups = _grouped(seen, lambda scene: type_words(value_type(scene).name))
    if len(groups) > 1:
        yield CheckFinding(
            f"The images are of different depth: {_each(groups)}.",
            "A network may tell classes apart by that alone, since each depth has a black and a white of its own; "
            "convert the files to one.",
        )


def _channel_counts(seen: _Seen) -> Iterator[CheckFinding]:
    groups = _grouped(
        seen, lambda s: "grey or colour" if is_picture(s) else counted(len(channel_names(s)), "channel")
    )
    if len(groups) > 1:
        yield CheckFinding(
            f"The images have different channels: {_each(groups)}.",
            "The run takes those of most images, and leaves out images that lack one; name channels that all have "
            "with --channels.",
        )


def _without_channels(seen: _Seen, names: Sequence[str]) -> Iterator[CheckFinding]:
    faults: dict[str, str] = {}  # by path: frames of a stack have the same one
    for path, scene in seen:
        if path not in faults:
            try:
                find_channels(scene, names, path)
            except DecodeError as error:
                faults[path] = error.message.removesuffix(".")
    if faults:
        none = all(path in faults for path, _ in seen)
        yield CheckFinding(
            f"{counted(len(faults), 'file lacks', 'files lack')} a channel that is asked for: "
            f"{name_faults(list(faults.values())[:_NAMED], len(faults))}.",
            f"The run {'would have no images' if none else 'leaves out such images'}; name channels that all have.",
        )


def _without_pixel_size(seen: _Seen) -> Iterator[CheckFinding]:
    without = [path for path, scene in seen if scene.pixel_um is None]
    if without:
        does = "does" if len(without) == 1 else "do"
        yield CheckFinding(
            f"{counted(len(without), 'image')} {does} not say how large a pixel is: {name_some(without)}.",
            "The run leaves out such images, since --pixel-size is set.",
        )


def _unlike_the_input(seen: _Seen, config: TrainConfig, pixel_size: float) -> Iterator[CheckFinding]:
    """Images of which the network sees a part only, or that are lost in a black input."""
    canvas = config.width, config.height
    scaled = [
        (path, place(scene.size, canvas, config.geometry, _scale(scene.pixel_um, pixel_size)).scaled)
        for path, scene in seen
        if scene.pixel_um is not None and all(0 < side < math.inf for side in scene.pixel_um)
    ]
    if not scaled:
        return
    cut = [path for path, size in scaled if size[0] > canvas[0] or size[1] > canvas[1]]
    widest, highest = (max(size[side] for _, size in scaled) for side in (0, 1))
    if cut:
        yield CheckFinding(
            f"{counted(len(cut), 'image')} of {len(scaled):,} {'is' if len(cut) == 1 else 'are'} larger than the "
            f"input at {pixel_size:g} µm a pixel: {name_some(cut)}.",
            f"The network sees their middle; the largest would need {widest:,} x {highest:,} pixels (--size, or a "
            "larger --pixel-size).",
        )
    elif widest * _LOST < canvas[0] and highest * _LOST < canvas[1]:
        yield CheckFinding(
            f"At {pixel_size:g} µm a pixel no image is larger than {widest:,} x {highest:,} pixels.",
            f"The rest of the input of {canvas[0]:,} x {canvas[1]:,} pixels is black; is --pixel-size right?",
        )


def _scale(pixel_um: tuple[float, float], pixel_size: float) -> tuple[float, float]:
    return pixel_um[0] / pixel_size, pixel_um[1] / pixel_size


def _grouped(seen: _Seen, kind: Callable[[Scene], str]) -> dict[str, list[str]]:
    """The paths of each kind, the most frequent kind first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path, scene in seen:
        groups[kind(scene)].append(path)
    return dict(sorted(groups.items(), key=lambda group: len(group[1]), reverse=True))


def _each(groups: dict[str, list[str]]) -> str:
    """`16-bit (60 images, such as a.tif) and 8-bit (1 image, b.tif)`."""
    return join_names(
        [
            f"{kind} ({counted(len(paths), 'image')}, {'such as ' if len(paths) > 1 else ''}{printable(paths[0])})"
            for kind, paths in groups.items()
        ]
    )
