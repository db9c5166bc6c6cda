"""What the palette finds: the commands of a screen by their titles, by other words for them, by their help."""

from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from mia_tui.tui.keys.bindings import other_words

if TYPE_CHECKING:
    from mia_tui.tui.app import MiaApp

_AT_THE_BEGINNING = 1.0
# And for letters of the title, in their order, up to 1 more.
_BY_TITLE, _BY_OTHER_WORDS, _BY_HELP = 3.0, 2.0, 1.0

PALETTE_KEYS = (
    ("Up  Down", "Go up or down the commands that were found."),
    ("PgUp  PgDn", "Go a page up or down."),
    ("Enter", "Run the command; each key of a command does the same without the palette."),
    ("Esc", "Close the palette."),
)
"""The palette's own keys, which are Textual's and cannot be changed."""


class CommandProvider(Provider):
    """Finds commands; those that are found by their title come first."""

    async def discover(self) -> Hits:
        for title, help, callback, is_listed in self._app.get_system_commands(self.screen):
            if is_listed:
                yield DiscoveryHit(title, callback, help=help)

    async def search(self, query: str) -> Hits:
        matcher, words = self.matcher(query), query.casefold().split()
        others = other_words(getattr(self.screen, "SCOPE_NAME", ""), self._app.context.user.keys)
        for title, help, callback, _ in self._app.get_system_commands(self.screen):
            score = _score(words, title, others.get(title, ""), help) + min(1.0, matcher.match(title))
            if title.casefold().startswith(query.casefold()):
                score += _AT_THE_BEGINNING
            if score > 0:
                yield Hit(score, matcher.highlight(title), callback, help=help)

    @property
    def _app(self) -> "MiaApp":
        return cast("MiaApp", self.app)


def _score(words: list[str], title: str, other: str, help: str) -> float:
    """By where all words, or parts of words, are found; 0 if nowhere."""
    text = ""
    for more, score in ((title, _BY_TITLE), (other, _BY_OTHER_WORDS), (help, _BY_HELP)):
        text += f" {more.casefold()}"
        if all(word in text for word in words):
            return score
    return 0.0
