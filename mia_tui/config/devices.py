"""Which devices a job uses, as people write it: `1`, `4`, `all`, or the numbers of GPUs, `0,2`."""

import re

from mia_tui.errors import ConfigError
from mia_tui.text import printable

ALL_DEVICES = "all"
MOST_DEVICES = 1024

LEAST_IMAGES = 2
"""Images of a batch that a device gets at least: batch normalisation has no variance over one."""

_HINT = "It takes how many (4), all, or the numbers of GPUs with commas between (0,2)."


def parse_devices(text: str) -> int | tuple[int, ...] | None:
    """How many devices; or the numbers of GPUs; None for all GPUs.

    Raises:
        ConfigError: If it is none of these.
    """
    words = text.strip().lower()
    if words == ALL_DEVICES:
        return None
    if re.fullmatch("[0-9]{1,4}", words):
        if not 1 <= int(words) <= MOST_DEVICES:
            raise ConfigError(f"--devices is {words}.", f"It must be at least 1, at most {MOST_DEVICES}.")
        return int(words)
    if not re.fullmatch(r"[0-9]{1,4}( *, *[0-9]{1,4})+", words):
        raise ConfigError(f"--devices is {printable(text)!r}.", _HINT)
    numbers = tuple(int(word) for word in words.split(","))
    if len(set(numbers)) < len(numbers):
        raise ConfigError(f"--devices {words} names a GPU twice.", "Leave one out.")
    return numbers


def least_devices(devices: str) -> int:
    """How many devices that are at least; of all GPUs, whose number only torch knows, one."""
    wanted = parse_devices(devices)
    return wanted if isinstance(wanted, int) else len(wanted or "1")


def check_devices(devices: str, device: str) -> None:
    """Refuse devices that contradict the device of a job.

    Raises:
        ConfigError: If they do.
    """
    wanted = parse_devices(devices)
    if wanted == 1:
        return
    if device == "mps":
        raise ConfigError(
            f"--devices {devices} needs NVIDIA GPUs, or --device cpu.", "An Apple GPU is one device."
        )
    if device.startswith("cuda:"):
        raise ConfigError(
            f"--device {device} is one GPU, and --devices {devices} asks for others.",
            "Leave --device out; --devices 0,2 names GPUs.",
        )
    if device == "cpu" and not isinstance(wanted, int):
        raise ConfigError(
            f"--devices {devices} names GPUs, and --device cpu uses none.",
            "Give the number of processes, such as --devices 2.",
        )
