"""What the tests of the app share: style sheets, which are parsed once in a process."""

from collections.abc import Iterator

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

_KEPT = 2_000
"""Sources times themes, for each theme has its own variables."""


@pytest.fixture(autouse=True, scope="session")
def styles_are_parsed_once() -> Iterator[None]:
    """Every app parses the same sources, twice at its start: a fifth of the time of its test.

    Textual shares parsed rules between the screens of an app, and only reads them. A source is parsed again for other
    variables.
    """
    parsed: dict[tuple[object, ...], list[RuleSet]] = {}
    real = Stylesheet._parse_rules

    def parse_rules(self: Stylesheet, css: str, *place: object, **kind: object) -> list[RuleSet]:
        key = (css, *place, *sorted(kind.items()), frozenset(self._variables.items()))
        if key not in parsed:
            if len(parsed) >= _KEPT:
                parsed.clear()
            parsed[key] = real(self, css, *place, **kind)  # type: ignore[arg-type]
        return parsed[key]

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Stylesheet, "_parse_rules", parse_rules)
        yield
