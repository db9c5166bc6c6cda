"""A line of text being edited: what keys do to it. Free of Textual; how it looks is the widget's affair."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """Text with a caret.

    Attributes:
        caret: Between characters, from 0; what is typed goes there.
        is_fresh: Whether nothing was done since the line was reached: typing then replaces all of it.
    """

    text: str
    caret: int
    is_fresh: bool = True

    @classmethod
    def of(cls, text: str) -> "Line":
        """A line that was just reached."""
        return cls(text, len(text))

    def typed(self, text: str) -> "Line":
        """After typing or pasting; what is not one printable line is left out."""
        text = "".join(character for character in text if character.isprintable())
        if self.is_fresh:
            return Line(text, len(text), is_fresh=False)
        return Line(
            self.text[: self.caret] + text + self.text[self.caret :], self.caret + len(text), is_fresh=False
        )

    def pressed(self, key: str) -> "Line | None":
        """After an editing key; None if it is none."""
        text, caret = self.text, self.caret
        match key:
            case "backspace":
                return Line(text[: max(0, caret - 1)] + text[caret:], max(0, caret - 1), is_fresh=False)
            case "delete":
                if self.is_fresh:
                    return Line("", 0, is_fresh=False)
                return Line(text[:caret] + text[caret + 1 :], caret, is_fresh=False)
            case "left":
                return Line(text, max(0, caret - 1), is_fresh=False)
            case "right":
                return Line(text, min(len(text), caret + 1), is_fresh=False)
            case "home":
                return Line(text, 0, is_fresh=False)
            case "end":
                return Line(text, len(text), is_fresh=False)
            case "ctrl+u":
                return Line(text[caret:], 0, is_fresh=False)
            case "ctrl+w":
                kept = text[:caret].rstrip().rpartition(" ")
                head = kept[0] + kept[1]
                return Line(head + text[caret:], len(head), is_fresh=False)
        return None
