"""The program: `mia-tui` and `python -m mia_tui`."""

import sys

from mia_tui.cli.main import command
from mia_tui.cli.output.report import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(lambda: command.main(prog_name="mia-tui", standalone_mode=False)))


if __name__ == "__main__":
    main()
