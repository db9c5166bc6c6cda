"""The pages of the manual as Markdown, with the keys in force and the settings' own descriptions put in.

What stands between double braces in a page is put in by the code, so that it is always true: `{{key label.undo}}` is
a key, `{{keys label}}` all keys of a screen, `{{settings Input}}` the settings of a group, and so on (`_PARTS`).
Nothing here imports Textual.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from itertools import cycle, groupby

from mia_tui.errors import ConfigError
from mia_tui.text import did_you_mean, printable
from mia_tui.tui.keys.bindings import UserKeys, keys_of, said_key, shown_key
from mia_tui.tui.keys.tables import SCOPES

TOPICS = {
    "start": "First steps",
    "labelling": "Labelling",
    "lookalikes": "Pages of look-alikes",
    "labels": "Labels in and out",
    "images": "Images and their formats",
    "training": "Training from the app",
    "settings": "Settings of a training",
    "reviewing": "Suggestions and reviewing",
    "features": "Features of images",
    "quality": "Wrong labels, and how far you are",
    "results": "Evaluating and predicting",
    "counts": "Counts per well, slide or patient",
    "report": "A report for a paper",
    "export": "A network for other programs",
    "headless": "Without a screen, and on clusters",
    "sharing": "Several people, several places",
    "terminals": "Terminals, and images in full",
    "troubles": "When something goes wrong",
    "python": "From Python",
    "keys": "All keys, and your own",
    "figures": "Figures, and how to repeat them",
}
"""The pages by name, with their titles, in the order of reading."""

_PART = re.compile(r"\{\{([a-z]+)(?: ([^}]*))?\}\}")
_HEADING = re.compile(r"^(#{1,4}) (.+)$")


@dataclass(frozen=True)
class FoundLine:
    """A line of the manual in which a word was found.

    Attributes:
        topic: The page.
        heading: The heading it stands under.
        line: The text, without Markdown's marks.
    """

    topic: str
    heading: str
    line: str


def page(topic: str, keys: UserKeys) -> str:
    """A page in Markdown.

    Args:
        topic: One of TOPICS; a beginning that fits only one will do.
        keys: The keys that the user set.

    Raises:
        ConfigError: If there is no such page.
    """
    name = _topic(topic)
    text = resources.files(__package__).joinpath("pages", f"{name}.md").read_text(encoding="utf-8")
    body = _PART.sub(lambda part: _PARTS[part[1]](part[2] or "", keys), text)
    return f"# {TOPICS[name]}\n\n{body}"


def find_lines(words: str, keys: UserKeys) -> Iterator[FoundLine]:
    """The lines of all pages that hold all of some words, in upper or lower case."""
    wanted = words.casefold().split()
    for topic, title in TOPICS.items():
        heading = title
        for paragraph in _paragraphs(page(topic, keys)):
            found = _HEADING.match(paragraph)
            heading = found[2] if found else heading
            text = _plain(paragraph)
            if all(word in text.casefold() for word in wanted):
                yield FoundLine(topic, heading, text)


def _topic(word: str) -> str:
    if word in TOPICS:
        return word
    fitting = [name for name in TOPICS if word and name.startswith(word.lower())]
    if len(fitting) == 1:
        return fitting[0]
    hint = did_you_mean(fitting) or f"The pages are: {', '.join(TOPICS)}."
    raise ConfigError(f"The manual has no page {printable(word)!r}.", hint)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs in one line each; rows of tables, items of lists and lines of code one by one."""
    lines: list[str] = []
    in_code = False
    for line in [*text.splitlines(), ""]:
        in_code ^= line.startswith("```")
        alone = in_code or line.startswith(("|", "#", "- ", "```", "* "))
        if lines and (alone or not line.strip()):
            yield " ".join(lines)
            lines = []
        if alone and not line.startswith("```"):
            yield line
        elif line.strip() and not alone:
            lines.append(line.strip())


def _plain(paragraph: str) -> str:
    """Without the marks of Markdown, but with the characters of keys."""
    if paragraph.startswith("|"):
        paragraph = re.sub(r"(?<!\\)\|", " ", paragraph).replace("\\|", "|")
    bare = "".join(
        part if in_code else re.sub(r"[*#]+", "", part)
        for in_code, part in zip(cycle((False, True)), paragraph.split("`"), strict=False)
    )
    return re.sub(r" +", " ", bare).strip()


# What the code puts in


def _key(command: str, keys: UserKeys) -> str:
    scope, _, name = command.partition(".")
    return f"`{said_key(scope, keys_of(scope, keys), name)}`"


def _all_keys(scope: str, keys: UserKeys) -> str:
    """All commands of a screen in a table for each of its sections."""
    in_force = keys_of(scope, keys)
    tables = []
    for heading, actions in groupby(SCOPES[scope].actions, key=lambda action: action.section):
        rows = [
            (" ".join(f"`{_cell(shown_key(key))}`" for key in in_force[action.id]) or "–", action.help)
            for action in actions
        ]
        tables.append(f"**{heading}**\n\n{_table(('key', 'does'), rows)}")
    return "\n\n".join(tables)


def _settings(group: str, keys: UserKeys) -> str:
    from mia_tui.config.fields import fields

    rows = [(f"`{field.option}`", field.help) for field in fields() if field.group == group]
    return _table(("option", "means"), rows)


def _user_settings(_: str, keys: UserKeys) -> str:
    from mia_tui.config.user.settings import user_fields

    return _table(("setting", "means"), [(f"`{field.name}`", field.help) for field in user_fields()])


def _backbones(_: str, keys: UserKeys) -> str:
    from mia_tui.catalog.backbones import BACKBONES

    rows = [
        (
            f"`{row.name}`",
            f"{row.params / 1e6:.1f}",
            f"{row.gmacs:.2f}",
            str(row.input_size),
            str(row.min_size),
            "–" if row.top1 is None else f"{row.top1:.1f}",
        )
        for row in BACKBONES.values()
    ]
    return _table(("backbone", "million parameters", "GMACs", "input px", "least px", "top-1 %"), rows)


def _endings(_: str, keys: UserKeys) -> str:
    from mia_tui.dataset.images.formats import FORMATS

    rows = [(one.name, " ".join(f"`{suffix}`" for suffix in one.suffixes)) for one in FORMATS if one.suffixes]
    return _table(("format", "endings"), rows)


_PARTS: dict[str, Callable[[str, UserKeys], str]] = {
    "key": _key,
    "keys": _all_keys,
    "settings": _settings,
    "usersettings": _user_settings,
    "backbones": _backbones,
    "endings": _endings,
}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(map(_cell, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)
