"""Terminals of 2026 as models: what each answers to our queries, what it draws, what it prints by mistake.

Each names the source of its behaviour. Where `tried` is true, the answers are the bytes that the real program sent.
Around them are models of what stands between a terminal and a program: tmux, GNU screen, ssh, mosh.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from mia_tui.terminal.answers import QUERIES

Draws = Literal["kitty", "placeholders", "iterm2", "sixel"]

_QUERY = {
    "kitty": rb"\x1b_G[^\x1b]*a=q[^\x1b]*\x1b\\",
    "status": rb"\x1bP\$qm\x1b\\",
    "background": rb"\x1b\]11;\?\x1b\\",
    "brand": rb"\x1b\[>q",
    "cell": rb"\x1b\[16t",
    "screen": rb"\x1b\[14t",
    "sixel_colours": rb"\x1b\[\?1;1;0S",
    "sixel_px": rb"\x1b\[\?2;1;0S",
    "da1": rb"\x1b\[c",
}
_ANY_QUERY = re.compile(b"|".join(b"(?P<%s>%s)" % (name.encode(), query) for name, query in _QUERY.items()))
STRINGS = re.compile(rb"\x1b[P_\]][^\x1b\x07]*(?:\x1b\\|\x07)")
"""DCS, APC and OSC: a terminal that does not know them prints what is in them."""

OK = b"\x1b_Gi=31;OK\x1b\\"
_KITTY_RGB = b"\x1bP1$r48:2:1:2:3m\x1b\\"
_XTERM_RGB = b"\x1bP1$r0;48:2::1:2:3m\x1b\\"
_BLACK = b"\x1b]11;rgb:0000/0000/0000\x1b\\"
_WHITE = b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\"


@dataclass(frozen=True, eq=False)
class TerminalModel:
    """A terminal.

    Attributes:
        name: With its version, as in the manual.
        answers: To each of our queries by name; what is missing is not answered.
        draws: The pictures it draws.
        source: Where its behaviour is written, or the program that was run.
        environment: What a shell in it sees.
        prints_strings: Whether it prints control strings that it does not know.
        tried: Whether the answers are those of the real program, run here.
    """

    name: str
    answers: Mapping[str, bytes]
    draws: frozenset[Draws]
    source: str
    environment: Mapping[str, str] = field(default_factory=dict)
    prints_strings: bool = False
    tried: bool = False

    def answer(self, queries: bytes) -> bytes:
        """What it sends back, in the order of the queries."""
        found = (match.lastgroup for match in _ANY_QUERY.finditer(queries))
        return b"".join(self.answers.get(name or "", b"") for name in found)

    @property
    def brand(self) -> str:
        match = re.search(rb">\|([^\x1b]*)", self.answers.get("brand", b""))
        return match[1].decode() if match else ""

    @property
    def reports_sixel(self) -> bool:
        return b"4" in self.answers["da1"].removeprefix(b"\x1b[?").removesuffix(b"c").split(b";")[1:]


def _model(name: str, *draws: Draws, source: str, tried: bool = False, **more: object) -> TerminalModel:
    prints, term = bool(more.pop("prints_strings", False)), more.pop("environment", {})
    assert isinstance(term, dict)
    environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_GB.UTF-8"} | term
    answers = {name: answer for name, answer in more.items() if isinstance(answer, bytes)}
    assert answers.keys() == more.keys()
    return TerminalModel(name, answers, frozenset(draws), source, environment, prints, tried)


def _brand(text: str) -> bytes:
    return b"\x1bP>|" + text.encode() + b"\x1b\\"


KITTY_OLD = _model(
    "kitty 0.26",
    "kitty",
    kitty=OK, status=_KITTY_RGB, background=_BLACK, brand=_brand("kitty(0.26.5)"),
    cell=b"\x1b[6;20;9t", screen=b"\x1b[4;900;1395t", da1=b"\x1b[?62;c",
    environment={"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"},
    source="kitty 0.26.5 of Debian 12, run under Xvfb",
    tried=True,
)  # fmt: skip
KITTY_032 = _model(
    "kitty 0.32",
    "kitty", "placeholders",
    kitty=OK, status=_KITTY_RGB, background=_BLACK, brand=_brand("kitty(0.32.2)"),
    cell=b"\x1b[6;20;9t", screen=b"\x1b[4;900;1395t", da1=b"\x1b[?62;c",
    environment={"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"},
    source="kitty 0.32.2, built from https://github.com/kovidgoyal/kitty and run under Xvfb",
    tried=True,
)  # fmt: skip
KITTY = _model(
    "kitty 0.48",
    "kitty", "placeholders",
    kitty=OK, status=b"\x1bP1$r0;48:2:1:2:3m\x1b\\", background=_BLACK, brand=_brand("kitty(0.48.2)"),
    cell=b"\x1b[6;20;9t", screen=b"\x1b[4;900;1395t", da1=b"\x1b[?62;52;c",
    environment={"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"},
    source="https://github.com/kovidgoyal/kitty v0.48.2: kitty/screen.c (screen_xtversion and others)",
)  # fmt: skip
GHOSTTY = _model(
    "Ghostty 1.3",
    "kitty", "placeholders",
    kitty=OK, background=b"\x1b]11;rgb:2828/2c2c/3434\x1b\\", brand=_brand("ghostty 1.3.1"),
    cell=b"\x1b[6;34;16t", screen=b"\x1b[4;1360;1920t", da1=b"\x1b[?62;22;52c",
    environment={"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"},
    source="https://github.com/ghostty-org/ghostty: src/termio/stream_handler.zig, "
    "src/terminal/kitty/graphics_unicode.zig",
)  # fmt: skip
WEZTERM = _model(
    "WezTerm 20240203",
    "kitty", "iterm2", "sixel",
    kitty=OK, status=b"\x1bP0$r\x1b\\", background=_BLACK, brand=_brand("WezTerm 20240203-110809-5046fc22"),
    cell=b"\x1b[6;18;8t", screen=b"\x1b[4;720;960t", sixel_colours=b"\x1b[?1;0;65536S",
    sixel_px=b"\x1b[?2;0;960;720S", da1=b"\x1b[?65;4;6;18;22c",
    environment={"TERM_PROGRAM": "WezTerm"},
    source="https://github.com/wezterm/wezterm: term/src/terminalstate/mod.rs, term/src/terminalstate/kitty.rs "
    "(no placeholders), config/src/config.rs (enable_kitty_graphics)",
)  # fmt: skip
ITERM2 = _model(
    "iTerm2 3.6",
    "kitty", "placeholders", "iterm2", "sixel",
    kitty=OK, background=_BLACK, brand=_brand("iTerm2 3.6.4"), screen=b"\x1b[4;720;960t",
    da1=b"\x1b[?64;1;2;4;6;17;18;21;22;52c",
    environment={"TERM_PROGRAM": "iTerm.app", "LC_TERMINAL": "iTerm2"},
    source="https://github.com/gnachman/iTerm2: sources/VT100/VT100Output.m, "
    "sources/InlineImages/KittyImageController.swift; https://iterm2.com/documentation-images.html",
)  # fmt: skip
ITERM2_OLD = _model(
    "iTerm2 3.4",
    "iterm2", "sixel",
    background=_BLACK, brand=_brand("iTerm2 3.4.23"), screen=b"\x1b[4;720;960t", da1=b"\x1b[?62;4c",
    environment={"TERM_PROGRAM": "iTerm.app", "LC_TERMINAL": "iTerm2"},
    source="https://github.com/gnachman/iTerm2 v3.4.0: sources/VT100Output.m",
)  # fmt: skip
VSCODE = _model(
    "VS Code, images on",
    "kitty", "iterm2", "sixel",
    kitty=OK, status=b"\x1bP1$r0m\x1b\\", background=_BLACK, brand=_brand("xterm.js(6.1.0-beta.337)"),
    cell=b"\x1b[6;16;8t", screen=b"\x1b[4;576;927t", sixel_colours=b"\x1b[?1;0;4096S",
    sixel_px=b"\x1b[?2;0;927;576S", da1=b"\x1b[?62;4;9;22c",
    environment={"TERM_PROGRAM": "vscode"},
    source="https://github.com/microsoft/vscode/pull/295701; the answers are of its xterm.js 6.1.0-beta.337 with "
    "addon-image 0.10.0-beta.301, run in Chromium, which drew the app's pictures",
)  # fmt: skip
VSCODE_2025 = _model(
    "VS Code of 2025, images on",
    "iterm2", "sixel",
    status=b"\x1bP1$r0m\x1b\\", background=b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
    cell=b"\x1b[6;17;8t", screen=b"\x1b[4;408;960t", sixel_colours=b"\x1b[?1;0;256S",
    sixel_px=b"\x1b[?2;0;960;408S", da1=b"\x1b[?62;4;9;22c",
    environment={"TERM_PROGRAM": "vscode"},
    source="https://github.com/xtermjs/xterm.js 5.5.0: addons/addon-image/src/ImageAddon.ts",
)  # fmt: skip
VSCODE_DEFAULT = _model(
    "VS Code as installed",
    status=b"\x1bP1$r0m\x1b\\", background=b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
    brand=_brand("xterm.js(6.1.0-beta.200)"), cell=b"\x1b[6;17;8t", screen=b"\x1b[4;408;960t",
    da1=b"\x1b[?1;2c",
    environment={"TERM_PROGRAM": "vscode"},
    source="https://github.com/microsoft/vscode: terminalConfiguration.ts (enableImages: false), xtermTerminal.ts",
)  # fmt: skip
WINDOWS_TERMINAL = _model(
    "Windows Terminal 1.22",
    "sixel",
    status=_XTERM_RGB, background=b"\x1b]11;rgb:0c0c/0c0c/0c0c\x1b\\", cell=b"\x1b[6;20;10t",
    screen=b"\x1b[4;800;1200t", da1=b"\x1b[?61;4;6;7;14;21;22;23;24;28;32;42c",
    environment={"WT_SESSION": "0-0", "COLORTERM": ""},
    source="https://github.com/microsoft/terminal v1.22: src/terminal/adapter/adaptDispatch.cpp (DeviceAttributes, "
    "WindowManipulation, RequestXtermColorResource)",
)  # fmt: skip
WINDOWS_TERMINAL_OLD = _model(
    "Windows Terminal 1.19",
    status=_XTERM_RGB, da1=b"\x1b[?61;6;7;21;22;23;24;28;32;42c",
    environment={"WT_SESSION": "0-0", "COLORTERM": ""},
    source="https://github.com/microsoft/terminal v1.19: src/terminal/adapter/adaptDispatch.cpp (DeviceAttributes)",
)  # fmt: skip
FOOT = _model(
    "foot 1.13",
    "sixel",
    status=_XTERM_RGB, background=b"\x1b]11;rgb:1111/1111/1111\x1b\\", brand=_brand("foot(1.13.1)"),
    cell=b"\x1b[6;20;8t", screen=b"\x1b[4;880;1392t", sixel_colours=b"\x1b[?1;0;1024S",
    sixel_px=b"\x1b[?2;0;1392;880S", da1=b"\x1b[?62;4;22c",
    environment={"TERM": "foot"},
    source="foot 1.13.1 of Debian 12, run in weston under Xvfb",
    tried=True,
)  # fmt: skip
KONSOLE = _model(
    "Konsole 22.12",
    "kitty", "iterm2", "sixel",
    kitty=OK, background=b"\x1b]11;rgb:2323/2626/2727\x1b\\", brand=_brand("Konsole 22.12.3"),
    cell=b"\x1b[6;18;8t", screen=b"\x1b[4;504;880t", sixel_colours=b"\x1b[?1;0;256S",
    sixel_px=b"\x1b[?2;0;16384;16384S", da1=b"\x1b[?62;1;4c",
    environment={"COLORFGBG": "15;0"},
    source="Konsole 22.12.3 of Debian 12, run under Xvfb",
    tried=True,
)  # fmt: skip
XTERM_VT340 = _model(
    "xterm -ti vt340",
    "sixel",
    status=_XTERM_RGB, background=_WHITE, brand=_brand("XTerm(379)"), sixel_colours=b"\x1b[?1;0;1024S",
    sixel_px=b"\x1b[?2;0;480;312S", da1=b"\x1b[?63;1;2;4;6;9;15;16;22;28c",
    environment={"TERM": "xterm", "COLORTERM": ""},
    source="xterm 379 of Debian 12, run under Xvfb; it tells the kernel the size of its cells, and nobody else",
    tried=True,
)  # fmt: skip
XTERM = _model(
    "xterm",
    status=_XTERM_RGB, background=_WHITE, brand=_brand("XTerm(379)"), sixel_colours=b"\x1b[?1;3S",
    sixel_px=b"\x1b[?2;3S", da1=b"\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c",
    environment={"TERM": "xterm", "COLORTERM": ""},
    source="xterm 379 of Debian 12, run under Xvfb",
    tried=True,
)  # fmt: skip
ALACRITTY = _model(
    "Alacritty",
    background=b"\x1b]11;rgb:1d1d/1f1f/2121\x1b\\", screen=b"\x1b[4;588;792t", da1=b"\x1b[?6c",
    source="Alacritty 0.11.0 of Debian 12, run under Xvfb",
    tried=True,
)  # fmt: skip
GNOME = _model(
    "GNOME Terminal",
    background=b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\", brand=_brand("VTE(7600)"), da1=b"\x1b[?65;1;9c",
    environment={"VTE_VERSION": "7600"},
    source="https://github.com/GNOME/vte: src/vteseq.cc (built without sixel, as is usual)",
)  # fmt: skip
APPLE = _model(
    "Terminal.app",
    da1=b"\x1b[?1;2c",
    environment={"TERM_PROGRAM": "Apple_Terminal", "COLORTERM": ""},
    prints_strings=True,
    source="https://github.com/joouha/euporie/issues/29, https://github.com/hpjansson/chafa/issues/349: some "
    "terminals print APC strings; DA1 as a VT100 with advanced video",
)  # fmt: skip
LINUX_CONSOLE = _model(
    "Linux console",
    da1=b"\x1b[?6c",
    environment={"TERM": "linux", "COLORTERM": ""},
    prints_strings=True,
    source="https://github.com/torvalds/linux: drivers/tty/vt/vt.c (VT102ID; strings are taken in since 2020 only)",
)  # fmt: skip

MODELS = (
    KITTY_OLD, KITTY_032, KITTY, GHOSTTY, WEZTERM, ITERM2, ITERM2_OLD, VSCODE, VSCODE_2025, VSCODE_DEFAULT,
    WINDOWS_TERMINAL, WINDOWS_TERMINAL_OLD, FOOT, KONSOLE, XTERM_VT340, XTERM, ALACRITTY, GNOME, APPLE, LINUX_CONSOLE,
)  # fmt: skip


@dataclass(frozen=True)
class Tmux:
    """tmux: it answers for the terminal around it, and passes on what it was told to.

    Sources, in https://github.com/tmux/tmux: input.c (answers; DA1 has a 4 wherever sixel was built in, whatever the
    terminal), tty-keys.c (the terminal's own XTVERSION and DA1), options-table.c (allow-passthrough), tty.c
    (tty_cmd_sixelimage: a terminal without sixel gets the words SIXEL IMAGE).
    """

    version: str = "3.6b"
    sixel: bool = True
    passthrough: bool = True

    @property
    def has_passthrough_option(self) -> bool:
        return float(self.version[:3]) >= 3.3

    def around(self, terminal: TerminalModel) -> TerminalModel:
        """What a program in tmux meets."""
        answers = {"brand": _brand(f"tmux {self.version}"), "da1": b"\x1b[?1;2c"}
        if float(self.version[:3]) >= 3.4:
            answers |= {"cell": b"\x1b[6;18;9t", "screen": b"\x1b[4;720;1080t"}
            background = terminal.answers.get("background")
            answers |= {"background": background} if background else {}
        if self.sixel:
            answers["da1"] = b"\x1b[?1;2;4c"
        draws: set[Draws] = set()
        if self.passthrough and "placeholders" in terminal.draws:
            draws.add("placeholders")
        if self.sixel and terminal.reports_sixel:
            draws.add("sixel")
        variables = {"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": self.version}
        server = {"TMUX": "/tmp/tmux-1000/default,1,0", "TMUX_PANE": "%0"}
        return replace(
            terminal,
            answers=answers,
            draws=frozenset(draws),
            environment={**terminal.environment, **variables, **server},
            prints_strings=False,
        )

    def facts(self, terminal: TerminalModel) -> str:
        """What it says when asked for itself and the terminals around it."""
        passthrough = str(int(self.passthrough)) if self.has_passthrough_option else ""
        features = ["256", "RGB", "title", *(["sixel"] if self.sixel and terminal.reports_sixel else [])]
        return f"{self.version}\t{passthrough}\n{terminal.brand}\t{','.join(features)}\n"


def through_ssh(terminal: TerminalModel) -> TerminalModel:
    """ssh sends TERM along, and LANG and LC_* where it is set up so (sshd's AcceptEnv), as Debian and macOS are."""
    kept = {
        name: value
        for name, value in terminal.environment.items()
        if name in ("TERM", "LANG") or name.startswith("LC_")
    }
    return replace(terminal, environment=kept)


def in_screen(terminal: TerminalModel) -> TerminalModel:
    """GNU screen 4.9 of Debian 12, run under Xvfb: it answers DA1 alone, and passes strings on to the terminal."""
    variables = {"TERM": "screen.xterm-256color", "STY": "1.pts-0.host"}
    return replace(
        terminal,
        answers={"da1": b"\x1b[?1;2c"},
        draws=frozenset(),
        environment={**terminal.environment, **variables},
        prints_strings=True,
    )


def through_mosh(terminal: TerminalModel) -> TerminalModel:
    """mosh sends the same variables along, and answers DA1 itself (src/terminal/terminalfunctions.cc)."""
    return replace(
        through_ssh(terminal), answers={"da1": b"\x1b[?62c"}, draws=frozenset(), prints_strings=False
    )


def printed(terminal: TerminalModel, queries: bytes) -> bytes:
    """What stands on the screen after the queries: strings that are not known and not erased again."""
    if not terminal.prints_strings:
        return b""
    erased = re.sub(rb"\x1b7.*?\x1b8\x1b\[K", b"", queries, flags=re.DOTALL)
    return b"".join(STRINGS.findall(erased))


assert all(_ANY_QUERY.search(query) for query in (QUERIES,))
