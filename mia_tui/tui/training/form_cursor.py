"""Where the person is in the form: which section, which field, what is being typed. Free of Textual."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from mia_tui.catalog.backbones import SIZES
from mia_tui.config.fields import fields
from mia_tui.text import counted
from mia_tui.tui.training.form import START, START_TITLES, Form, field_of, groups
from mia_tui.tui.training.words import empty_words, right_of

FieldKind = Literal["text", "choice", "switch", "pick", "size"]
WordKind = Literal["fault", "more", "heading", "fact", "told", "note", "advice", "key"]
FIELD_KINDS: tuple[str, ...] = get_args(FieldKind)

LISTED = ("backbone", "weights", "class_weights", "device")
"""Texts that have a list to choose from."""

_FAULT_INDENT = 5  # columns, with one for the edge
_LEAST_FAULT = 10
_CLOSED = ("backbone",)  # of those, typing opens the list


@lru_cache(maxsize=512)  # a form is painted at every key
def wrapped(text: str, width: int) -> tuple[str, ...]:
    """The lines of a text, broken between words."""
    return tuple(textwrap.wrap(text, width, break_on_hyphens=False))


@dataclass(frozen=True)
class EditedLine:
    """A line of text being edited, and what keys do to it; the widget draws it.

    Attributes:
        caret: Between characters, from 0; what is typed goes there.
        is_fresh: Whether the cursor just came to it: typing then replaces the whole text.
    """

    text: str
    caret: int
    is_fresh: bool = True

    @classmethod
    def of(cls, text: str) -> "EditedLine":
        """A line that the cursor just came to."""
        return cls(text, len(text))

    def typed(self, text: str) -> "EditedLine":
        """After typing or pasting; what is not one printable line is left out."""
        text = "".join(character for character in text if character.isprintable())
        if self.is_fresh:
            return EditedLine(text, len(text), is_fresh=False)
        return EditedLine(
            self.text[: self.caret] + text + self.text[self.caret :], self.caret + len(text), is_fresh=False
        )

    def pressed(self, key: str) -> "EditedLine | None":
        """After an editing key; None if it is none."""
        text, caret = self.text, self.caret
        match key:
            case "backspace":
                return EditedLine(text[: max(0, caret - 1)] + text[caret:], max(0, caret - 1), is_fresh=False)
            case "delete":
                if self.is_fresh:
                    return EditedLine("", 0, is_fresh=False)
                return EditedLine(text[:caret] + text[caret + 1 :], caret, is_fresh=False)
            case "left":
                return EditedLine(text, max(0, caret - 1), is_fresh=False)
            case "right":
                return EditedLine(text, min(len(text), caret + 1), is_fresh=False)
            case "home":
                return EditedLine(text, 0, is_fresh=False)
            case "end":
                return EditedLine(text, len(text), is_fresh=False)
            case "ctrl+u":
                return EditedLine(text[caret:], 0, is_fresh=False)
            case "ctrl+w":
                kept = text[:caret].rstrip().rpartition(" ")
                head = kept[0] + kept[1]
                return EditedLine(head + text[caret:], len(head), is_fresh=False)
        return None


@dataclass(frozen=True)
class FormLine:
    """A field, or what is wrong with the one above.

    Attributes:
        name: Of the field.
        title: Its title, or the words of the fault.
        value: Its text.
        kind: text is typed into, choice and switch are changed by keys, pick opens a list, size is a network by its
            size; the others are no fields: a fault and more of it, and words around the fields.
        instead: Shown dim while it is empty.
        right: Unit and limits.
        line: Its text with the caret, while it is edited.
        is_changed: Whether it is not the default.
        is_faulty: Whether something is wrong with it.
        title_width: Columns for titles, the same for all.
    """

    name: str
    title: str
    value: str
    kind: FieldKind | WordKind
    instead: str = ""
    right: str = ""
    line: EditedLine | None = None
    is_changed: bool = False
    is_faulty: bool = False
    title_width: int = 20


class FormCursor:
    """A cursor in a form.

    Args:
        form: The settings.

    Attributes:
        others: Faults that follow from the data, by field, beside those of the form.
        section: The heading that is shown.
        name: The field under the cursor.
        line: Its text with the caret; None where nothing can be typed.
    """

    def __init__(self, form: Form) -> None:
        self.form = form
        self.others: Mapping[str, str] = {}
        self.section = START
        self.name = ""
        self.line: EditedLine | None = None
        self.refresh()

    @property
    def faults(self) -> dict[str, str]:
        """All faults that are known, by field."""
        own = dict(self.form.faults)
        return own | {name: text for name, text in self.others.items() if name not in own}

    def names(self, section: str | None = None) -> list[str]:
        """The fields of a section that matter now."""
        section = section or self.section
        if section == START:
            return list(START_TITLES)
        return [field.name for field in fields() if field.group == section and self.form.matters(field.name)]

    def sections(self) -> list[tuple[str, str]]:
        """The headings, each with its number of faults or of changed fields."""
        faults = self.faults
        rows = []
        for section in (START, *groups()):
            names = self.names(section)
            wrong = sum(name in faults for name in names)
            changed = 0 if section == START else sum(self.form.is_changed(name) for name in names)
            words = counted(wrong, "error") if wrong else f"{changed} set" if changed else ""
            rows.append((section, words))
        return rows

    def lines(self, columns: int, *, explained: bool = False, airy: bool = False) -> list[FormLine]:
        """What a section shows in so many columns.

        Args:
            columns: Width.
            explained: Whether what a field means stands below it.
            airy: Whether there is an empty line behind each field.
        """
        lines: list[FormLine] = []
        for name in self.names():
            lines += self.field_lines(name, columns)
            if explained:
                said = wrapped(field_of(name).description, max(_LEAST_FAULT, columns - _FAULT_INDENT))
                lines += [FormLine("", line, "", "note") for line in said]
            lines += [FormLine("", "", "", "note")] if airy else []
        return lines

    def field_lines(self, name: str, columns: int) -> list[FormLine]:
        """The line of a field, and below it what is wrong with it, in as many lines as that needs."""
        fault = self.faults.get(name)
        width = 1 + max(len(self._title(each)) for each in self.names())
        lines = [self._line(name, width, is_faulty=fault is not None)]
        if fault is not None:
            said = wrapped(fault, max(_LEAST_FAULT, columns - _FAULT_INDENT))
            lines += [
                FormLine(name, line, "", "more" if number else "fault") for number, line in enumerate(said)
            ]
        return lines

    def kind(self, name: str) -> FieldKind:
        """What keys do in a field."""
        if self.section == START and name == "backbone":
            return "size"
        kind = field_of(name).kind
        if kind == "choice" or kind == "switch":
            return kind
        return "pick" if name in _CLOSED else "text"

    def go_to(self, name: str) -> None:
        """Put the cursor on a field in its own section."""
        self.section = field_of(name).group
        self.point_at(name)

    def point_at(self, name: str) -> None:
        """Put the cursor on a field of the section that is shown."""
        self.name = name
        self.refresh()

    def refresh(self) -> None:
        """Start editing the field: its text was replaced, or the cursor just came to it."""
        if self.name not in self.names():
            self.name = self.names()[0]
        self.line = EditedLine.of(self.form.text(self.name)) if self.kind(self.name) == "text" else None

    def move(self, by: int) -> None:
        """Move by some fields, at the end of a section into the next."""
        names = self.names()
        at = names.index(self.name) + by
        if 0 <= at < len(names):
            self.point_at(names[at])
        else:
            self.turn(1 if by > 0 else -1, to_end=by < 0)

    def turn(self, by: int, *, to_end: bool = False) -> None:
        """To another section; its last field if `to_end`."""
        sections = [START, *groups()]
        self.section = sections[(sections.index(self.section) + by) % len(sections)]
        self.point_at(self.names()[-1 if to_end else 0])

    def go_to_fault(self) -> bool:
        """To the first field with a fault; False if there is none."""
        first = next(iter(self.faults), None)
        if first is not None:
            self.go_to(first)
        return first is not None

    def type(self, text: str) -> bool:
        """Type into the field; False where it takes no typing."""
        if self.line is None:
            return False
        self._put(self.line.typed(text))
        return True

    def press(self, key: str) -> bool:
        """Apply an editing key; left and right also change a choice. False if the key does nothing here."""
        if self.line is None:
            if key in ("left", "right") and self.kind(self.name) != "pick":
                self.change(1 if key == "right" else -1)
                return True
            return False
        line = self.line.pressed(key)
        if line is None:
            return False
        self._put(line)
        return True

    def change(self, by: int) -> None:
        """Take the next choice or the one before; a switch is switched."""
        text, field = self.form.text(self.name), field_of(self.name)
        if self.kind(self.name) == "size":
            networks = list(SIZES.values())
            at = networks.index(text) + by if text in networks else 0
            self.set(networks[max(0, min(at, len(networks) - 1))])
        elif field.kind == "switch":
            self.set("no" if text == "yes" else "yes")
        elif field.kind == "choice":
            at = field.choices.index(text) if text in field.choices else 0
            self.set(field.choices[(at + by) % len(field.choices)])

    def set(self, text: str) -> None:
        """Put a text into the field as a whole."""
        self.form.set_text(self.name, text)
        self.refresh()

    def reset(self) -> None:
        """Put its default back."""
        self.form.reset(self.name)
        self.refresh()

    def _put(self, line: EditedLine) -> None:
        if line.text != self.form.text(self.name):
            self.form.set_text(self.name, line.text)
        self.line = line

    def _title(self, name: str) -> str:
        return START_TITLES[name] if self.section == START else field_of(name).title

    def _line(self, name: str, width: int, *, is_faulty: bool) -> FormLine:
        form = self.form
        return FormLine(
            name,
            self._title(name),
            form.text(name),
            self.kind(name),
            instead=empty_words(name, form.values),
            right="" if self.section == START else right_of(name),
            line=self.line if name == self.name else None,
            is_changed=form.is_changed(name),
            is_faulty=is_faulty,
            title_width=width,
        )
