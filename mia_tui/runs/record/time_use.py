"""What the time of a training was spent on, and which of it could be saved: the bottleneck, in a sentence."""

from collections.abc import Mapping
from typing import Literal

from mia_tui.text import percent

TimePart = Literal["starting", "images", "augmenting", "computing", "validating", "saving", "other"]
"""`images`: steps wait until theirs are read; `augmenting`: these are copied to the device and augmented."""

WORDS: dict[TimePart, str] = {
    "computing": "computing",
    "images": "waiting for images",
    "augmenting": "augmenting images",
    "validating": "validating",
    "saving": "saving",
    "starting": "starting",
    "other": "other things",
}

LEAST_SHARE = 0.2
"""What takes less of the time than this is no bottleneck: without it the run would be a quarter faster."""

_SAVED: tuple[TimePart, ...] = ("images", "augmenting", "validating", "saving", "starting")
"""What could take less time without another network or another device."""


def shares(seconds: Mapping[str, float]) -> dict[TimePart, float]:
    """How much of the time each part took, 0 to 1, the largest first; without what took none.

    Args:
        seconds: Of each part, by its name; other names, of other versions, count as `other`.
    """
    known: dict[TimePart, float] = dict.fromkeys(WORDS, 0.0)
    for name, value in seconds.items():
        part: TimePart = next((part for part in WORDS if part == name), "other")
        known[part] += max(0.0, value)
    total = sum(known.values())
    largest = sorted(known.items(), key=lambda pair: -pair[1])
    return {part: value / total for part, value in largest if total and value}


def shares_words(seconds: Mapping[str, float]) -> str:
    """`computing 62%, waiting for images 30%, validating 8%`, without what took less than half a percent."""
    return ", ".join(
        f"{WORDS[part]} {percent(share)}" for part, share in shares(seconds).items() if share >= 0.005
    )


def bottleneck(seconds: Mapping[str, float]) -> TimePart | None:
    """What to look at for a faster run: the largest part that can be saved, otherwise computing.

    Returns:
        None where no time was measured, and where neither takes `LEAST_SHARE` of it.
    """
    taken = shares(seconds)
    candidates: list[TimePart] = [*(part for part in taken if part in _SAVED), "computing"]
    return next((part for part in candidates if taken.get(part, 0.0) >= LEAST_SHARE), None)


def bottleneck_sentence(seconds: Mapping[str, float], *, images_in: str, on_cpu: bool) -> str:
    """What took the time, and the way out; empty where nothing stands out.

    Args:
        seconds: Of each part, by its name.
        images_in: Where decoded images are kept: `device`, `ram`, `disk`, or `none`.
        on_cpu: Whether the network is on the CPU.
    """
    part = bottleneck(seconds)
    if part is None:
        return ""
    way_out = _way_out(part, images_in, on_cpu)
    return f"{percent(shares(seconds)[part])} of the time was spent {WORDS[part]}: {way_out}"


def _way_out(part: TimePart, images_in: str, on_cpu: bool) -> str:
    match part:
        case "images" if images_in == "none":
            return "they are decoded anew in every epoch, which --cache disk or --cache ram would save."
        case "images" if images_in == "disk":
            return "they are read from the disk in every epoch, which a smaller --size or --cache ram would save."
        case "images":
            return "each was decoded once, which more processor cores do faster."
        case "augmenting" if on_cpu:
            return "fewer augmentations or a GPU would be faster."
        case "augmenting":
            return "fewer augmentations would be faster."
        case "validating":
            return "a smaller part for validation (--val-fraction) would be faster."
        case "saving":
            return "a faster disk for the runs (--state) would help."
        case "starting":
            return "the longer the run, the smaller this share."
        case _ if on_cpu:
            return "a GPU, a smaller --size or a smaller backbone would be faster."
        case _:
            return "the GPU is busy; a smaller --size or a smaller backbone would be faster."
