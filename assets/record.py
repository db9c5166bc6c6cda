"""Makes the picture of the demo for the README: runs it in a terminal of its own and draws what it printed.

python assets/record.py
"""

import io
import os
import pty
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ASSETS = Path(__file__).resolve().parent
COLUMNS = 92


def main() -> None:
    """Write demo.svg beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        printed = run_in_terminal([sys.executable, "-m", "mia_tui", "demo"])
        draw_terminal("$ mia-tui demo\n" + printed.replace(f"{Path.cwd()}/", ""), ASSETS / "demo.svg")


def run_in_terminal(command: list[str]) -> str:
    """Everything a command prints when stdout and stderr are a terminal, moving bars taken out."""
    os.environ |= {"COLUMNS": str(COLUMNS), "LINES": "40", "TERM": "dumb"}
    pieces: list[bytes] = []

    def read(descriptor: int) -> bytes:
        pieces.append(os.read(descriptor, 1 << 16))
        return pieces[-1]

    pty.spawn(command, read)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def draw_terminal(text: str, path: Path) -> None:
    """The text as a picture of a terminal."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(text))
    path.write_text(console.export_svg(title="mia-tui demo"))


if __name__ == "__main__":
    main()
