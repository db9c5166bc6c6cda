"""`mia("runs", "list")` is what the shell would see of `mia-tui runs list`."""

import pytest
from cli_support import Answer, Mia

from mia_tui.cli.main import command
from mia_tui.cli.output import report


@pytest.fixture(autouse=True)
def fresh_outlets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that one test gave up is whole for the next."""
    for outlet in (report.STDOUT, report.STDERR):
        monkeypatch.setattr(outlet, "gone", False)
        monkeypatch.setattr(outlet, "error", None)


@pytest.fixture
def mia(capsys: pytest.CaptureFixture[str]) -> Mia:
    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        words = [str(argument) for argument in arguments]
        code = report.run(lambda: command.main(words, prog_name="mia-tui", standalone_mode=False))
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return call
