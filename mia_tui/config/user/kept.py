"""What a person chose in the app, kept for the next start: one small file in the user's state folder.

The app never writes config.toml. Each choice appends a line to this file, so that several apps can be open at once;
the last line that names a setting counts. A damaged line costs itself only, and where nothing can be kept, nothing
fails.

    {"theme":"mia-dark"}
    {"auto_advance":true}
"""

import os
from contextlib import suppress
from typing import Any, Literal

import msgspec

from mia_tui.decoding import BadRecord, JsonReader, Text
from mia_tui.files import new_content, open_in_place, read
from mia_tui.paths import user_state

ProbabilityOrder = Literal["by_probability", "by_class", "off"]
"""How the probabilities of all classes are listed beside the image."""

SuggestionSource = Literal["live", "runs"]
"""Whose suggestions are shown: those learned while labelling, or those of runs."""

_FILE = "kept-settings"
_PRIVATE = 0o600
_MOST_BYTES = 1 << 20
_LONG_BYTES = 16 << 10
_MOST_NAMED = 100


class KeptSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was chosen last; None where nobody chose.

    Attributes:
        theme: Name of the colours of the app.
        auto_advance: Whether the key of a class assigns it and goes on.
        probabilities: How the probabilities of the classes are listed.
        scale_bar: Whether the length of a scale bar is shown below an image.
        centre_mark: Whether the centre of an image is marked.
        live_suggestions: Whether suggestions are learned while labelling.
        suggestions: Whose suggestions are shown, where there are both.
        useful_next: Whether labelling goes on with the most useful image instead of the next one in the list.
        live_networks: Networks that the person chose for the live suggestions of a dataset, the newest last: the
            folder of their features below that of all features.
        offered: Files of labels that the person was offered to import, the newest last.
    """

    theme: Text | None = None
    auto_advance: bool | None = None
    probabilities: ProbabilityOrder | None = None
    scale_bar: bool | None = None
    centre_mark: bool | None = None
    live_suggestions: bool | None = None
    suggestions: SuggestionSource | None = None
    useful_next: bool | None = None
    live_networks: tuple[Text, ...] = ()
    offered: tuple[Text, ...] = ()


_LINE = JsonReader(KeptSettings)


def kept_settings() -> KeptSettings:
    """What was chosen last; nothing if that cannot be read."""
    with suppress(OSError):
        return _last(read(user_state() / _FILE, most_bytes=_MOST_BYTES))
    return KeptSettings()


def keep(**chosen: Any) -> None:
    """Keep choices for the next start, named as in `KeptSettings`; errors of the disk are ignored."""
    line = _encoded(KeptSettings(**chosen), chosen)
    with suppress(OSError):
        file = user_state() / _FILE
        with os.fdopen(open_in_place(file, append=True, mode=_PRIVATE), "wb") as lines:
            lines.write(line)
        size = file.stat().st_size
        if size > _LONG_BYTES:
            last = _last(line if size > _MOST_BYTES else read(file, most_bytes=_MOST_BYTES))
            with new_content(file, sync=False, mode=_PRIVATE) as new:
                new.write(msgspec.json.encode(last) + b"\n")


def keep_offered(name: str) -> None:
    """Keep that the person was offered to import a file; of very many, only the newest are kept."""
    others = [known for known in kept_settings().offered if known != name]
    keep(offered=(*others[1 - _MOST_NAMED :], name))


def kept_network(dataset: str) -> str:
    """The network that the person chose for the live suggestions of a dataset; empty to use the better one.

    Args:
        dataset: The name of the folder of its features.
    """
    chosen = [
        name.partition("/")[2] for name in kept_settings().live_networks if name.startswith(f"{dataset}/")
    ]
    return chosen[-1] if chosen else ""


def keep_network(dataset: str, network: str) -> None:
    """Keep which network the person chose for the live suggestions of a dataset; of very many, only the newest are.

    Args:
        dataset: The name of the folder of its features.
        network: As `kept_network` returns it.
    """
    others = [name for name in kept_settings().live_networks if not name.startswith(f"{dataset}/")]
    chosen = [f"{dataset}/{network}"] if network else []
    keep(live_networks=(*others[1 - _MOST_NAMED :], *chosen))


def _encoded(settings: KeptSettings, named: Any) -> bytes:
    """A line with the settings that are named, also where they are what is usual."""
    values = {name: getattr(settings, name) for name in named}
    return b"\n" + msgspec.json.encode(values) + b"\n"  # begins anew behind a line that was cut off


def _last(content: bytes) -> KeptSettings:
    values: dict[str, Any] = {}
    for line in content.splitlines():
        with suppress(BadRecord):
            found = _LINE.decode(line)
            values |= {name: getattr(found, name) for name in _names(line)}
    return KeptSettings(**values)


def _names(line: bytes) -> set[str]:
    """The settings that a valid line names; those of a later version are left out."""
    return set(msgspec.json.decode(line)) & set(KeptSettings.__struct_fields__)
