"""`mia-tui help`: the manual in the terminal."""

import io
import os
import textwrap

import click

from mia_tui.cli.open import user_settings
from mia_tui.cli.output.report import Report
from mia_tui.cli.output.safe_stream import STDOUT
from mia_tui.cli.shared.options import Command, Option
from mia_tui.errors import ConfigError

_SHOWN_SIGNS = 200  # of a line that was found


@click.command("help", cls=Command)
@click.argument("topic", required=False)
@click.option("--find", "words", cls=Option, metavar="WORDS", help="Print the lines that hold these words.")
def command(topic: str | None, words: str | None) -> None:
    """Show a page of the manual; without TOPIC, list the pages.

    Keys are shown as your settings have them. In a pipe, a page is printed as Markdown.
    """
    from mia_tui.tui.manual.text import TOPICS, find_lines, page

    report = Report()
    keys = user_settings().keys
    if words is not None:
        if topic is not None:
            raise ConfigError("--find looks on all pages.", "Leave out the page.")
        found = list(find_lines(words, keys))
        if not found:
            raise ConfigError("Nothing of that stands in the manual.", "Try fewer or other words.")
        for line in found:
            place = line.topic if line.heading == TOPICS[line.topic] else f"{line.topic}, {line.heading}"
            report.say(f"{place}: {textwrap.shorten(line.line, _SHOWN_SIGNS, placeholder=' …')}")
        return
    if topic is None:
        for name, title in TOPICS.items():
            report.say(f"{name:<12}{title}", hang=12)
        report.say()
        report.say("`mia-tui help TOPIC` shows a page, `mia-tui help --find WORDS` searches all of them.")
        return
    _print(report, page(topic, keys))


def _print(report: Report, text: str) -> None:
    columns = STDOUT.columns()
    if columns is None:
        report.data().write(text.rstrip() + "\n")
        return
    from rich.console import Console

    from mia_tui.tui.manual.drawing import draw_page

    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=columns, no_color="NO_COLOR" in os.environ)
    for line in draw_page(text, columns):
        console.print(line, soft_wrap=True)
    STDOUT.write(file.getvalue())
    STDOUT.flush()
