"""Themes: which one is used, what follows it, and what is kept."""

from dataclasses import replace

import pytest
from textual.color import Color
from tui_support import contrast_of, make_context, press, run, running, screen_text, wait_until

from mia_tui.config.user.kept import kept_settings
from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.class_rules import COLOURS
from mia_tui.terminal.model import Terminal
from mia_tui.tui.app import MiaApp
from mia_tui.tui.textual_private import messages_shown
from mia_tui.tui.theme import DARK, LIGHT, default_theme, own_themes, theme_names
from mia_tui.tui.widgets.ink import Ink

TERMINAL = Terminal("half", "true", 10, 20, cell_known=True)


def test_the_theme_matches_the_background_of_the_terminal() -> None:
    assert default_theme(TERMINAL) == DARK
    assert default_theme(replace(TERMINAL, background="light")) == LIGHT
    assert default_theme(replace(TERMINAL, background="dark", colours="16")) == "ansi-dark"


def test_our_themes_take_over_the_background_of_a_terminal_that_is_as_dark() -> None:
    dark, light = own_themes((16, 0, 32))
    assert dark.background == "#100020"
    assert light.background == own_themes()[1].background


@pytest.mark.parametrize("name", theme_names())
def test_the_app_starts_in_every_theme_and_its_ink_follows(name: str) -> None:
    async def test() -> None:
        app = MiaApp(make_context(user=UserConfig(theme=name)), None)
        async with running(app):
            assert app.theme == name
            assert app.context.ink.is_dark == app.current_theme.dark
            assert app.context.ink.accent().color is not None
            assert app.context.ink.cursor() != app.context.ink.dim()
        assert kept_settings().theme is None, "what config.toml says is no choice of the app"

    run(test())


def test_a_theme_of_the_palette_is_kept_for_the_next_start() -> None:
    async def test() -> None:
        app = MiaApp(make_context(), None)
        async with running(app) as pilot:
            keys = app.context.ink.accent()
            app.theme = LIGHT
            await wait_until(pilot, lambda: kept_settings().theme == LIGHT)
            assert app.context.ink.accent() != keys
            assert not app.context.ink.is_dark
        again = MiaApp(make_context(), None)
        async with running(again):
            assert again.theme == LIGHT

    run(test())


def test_the_list_of_themes_begins_with_the_one_in_use_and_ours() -> None:
    async def test() -> None:
        app = MiaApp(make_context(user=UserConfig(theme="nord")), None)
        async with running(app) as pilot:
            app.action_change_theme()
            await wait_until(pilot, lambda: "nord (in use)" in screen_text(app))
            shown = [
                line for line in screen_text(app).splitlines() if any(name in line for name in theme_names())
            ]
            assert [name in line for name, line in zip(("nord", DARK, LIGHT), shown, strict=False)] == [
                True
            ] * 3
            await press(pilot, "down", "enter")
            await wait_until(pilot, lambda: app.theme == DARK)

    run(test())


def test_an_unknown_theme_is_named_with_those_that_are_known() -> None:
    async def test() -> None:
        app = MiaApp(make_context(user=UserConfig(theme="nrod")), None)
        async with running(app, notifications=True):
            assert app.theme == DARK
            [note] = messages_shown(app)
            assert "nrod" in note.message
            assert "nord" in note.message

    run(test())


@pytest.mark.parametrize("name", theme_names())
def test_words_can_be_read_in_every_theme(name: str) -> None:
    """WCAG asks for a contrast of 4.5."""

    async def test() -> None:
        app = MiaApp(make_context(user=UserConfig(theme=name)), None)
        async with running(app):
            ink, variables = app.context.ink, app.theme_variables
            grounds = [variables[role] for role in ("background", "surface")]
            if not all(ground.startswith("#") for ground in grounds):
                assert name.startswith("ansi"), "the other themes name their colours"
                return
            words = [ink.accent(), ink.good(), ink.warning(), ink.fault(), ink.dim()]
            words += [ink.words("suggestion", colour) for colour in COLOURS]
            for style in words:
                for ground in grounds if style in words[:5] else grounds[:1]:
                    assert (
                        contrast_of(Color.from_rich_color(style.color).hex6, Color.parse(ground).hex6) >= 4.5
                    ), style
            cursor = ink.cursor()
            pair = [Color.from_rich_color(colour).hex6 for colour in (cursor.color, cursor.bgcolor)]
            assert contrast_of(*pair) >= 4.5
            for role in ("accent", "warning", "error", "success"):
                assert (
                    contrast_of(Color.parse(variables[f"text-{role}"]).hex6, Color.parse(grounds[1]).hex6)
                    >= 4.5
                )

    run(test())


@pytest.mark.parametrize("name", [DARK, LIGHT])
def test_words_on_panels_can_be_read_in_our_themes(name: str) -> None:
    [theme] = [theme for theme in own_themes() if theme.name == name]
    for colour in (theme.foreground, theme.accent, theme.warning, theme.error, theme.success):
        assert contrast_of(colour or "", theme.panel or "") >= 4.5, colour


def test_lines_beside_images_can_be_read_where_the_theme_is_light_and_the_terminal_dark() -> None:
    dark = Ink(replace(TERMINAL, background="dark", background_rgb=(0, 0, 0)))
    light_theme = own_themes()[1].to_color_system().generate()
    dark.follow(light_theme, is_dark=False)
    assert dark.beside_images is not None, "words of the light theme would be dark on dark"
    assert dark.beside_images.bgcolor == Color.parse(light_theme["background"]).rich_color
    dark.follow(own_themes()[0].to_color_system().generate(), is_dark=True)
    assert dark.beside_images is None, "no edge between the lines and the image"


def test_lines_beside_images_have_the_themes_background_where_that_of_the_terminal_is_unknown() -> None:
    ink = Ink(replace(TERMINAL, background="dark", background_rgb=None))
    theme = own_themes()[0].to_color_system().generate()
    ink.follow(theme, is_dark=True)
    assert ink.beside_images is not None, "their margins would have another colour"
    assert ink.beside_images.bgcolor == Color.parse(theme["background"]).rich_color


def test_words_on_a_colour_are_not_bold_and_black_with_16_colours() -> None:
    """xterm and others show that as grey."""
    few, all_colours = Ink(replace(TERMINAL, colours="16")), Ink(TERMINAL)
    for colour in COLOURS:
        for words in (few.chip(colour), few.words("label", colour)):
            assert not (words.bold and words.color == Color.parse("#000000").rich_color), colour
    assert all(all_colours.chip(colour).bold for colour in COLOURS)
