"""`mia-tui demo`: label, train, evaluate and predict on images it draws, with the commands a user would type."""

import shlex
from pathlib import Path

import click

from mia_tui.cli.options import Command, json_option, path_argument
from mia_tui.cli.report import Report
from mia_tui.errors import ConfigError
from mia_tui.text import printable

DEFAULT_FOLDER = Path("mia-demo")

# Chosen for about a minute of training on two CPU cores.
TRAIN_OPTIONS = ("--backbone", "resnet18", "--size", "64", "--epochs", "15", "--test-fraction", "0.2")


@click.command("demo", cls=Command)
@path_argument("folder", required=False)
@json_option
def command(folder: Path | None, as_json: bool) -> int:
    """Draw stained blood cells into FOLDER (mia-demo), label them, train, evaluate and predict.

    Nothing is downloaded; it takes about a minute on two free CPU cores.
    """
    report = Report(as_json=as_json)
    root = folder or DEFAULT_FOLDER
    _render(report, root)
    for arguments in _steps(root):
        report.say()
        report.say(f"$ {shlex.join(['mia-tui', *arguments])}")
        code = _call([*arguments, *(["--json"] if as_json else [])])
        if code:
            return code
    _show_next_steps(report, root)
    return 0


def _render(report: Report, root: Path) -> None:
    from mia_tui.dataset.demo import IMAGES, holds_demo, render_demo

    is_free = not root.exists() or (root.is_dir() and not any(root.iterdir()))
    if not is_free and not holds_demo(root):
        raise ConfigError(
            f"{printable(root)} already exists and holds something else.",
            "Name a new folder: `mia-tui demo FOLDER`.",
        )
    images = render_demo(root)
    classes = len({class_name for _, class_name in images})
    report.say(f"Drew {len(images)} cells of {classes} classes into {printable(root / IMAGES)}.")


def _steps(root: Path) -> list[list[str]]:
    from mia_tui.dataset.demo import IMAGES, LABELS

    dataset = str(root)
    run = ["--run", "last"]
    return [
        ["labels", "import", dataset, str(root / LABELS)],
        ["train", dataset, *TRAIN_OPTIONS],
        ["evaluate", dataset, *run, "--split", "test"],
        ["predict", str(root / IMAGES), *run, "--dataset", dataset, "--out", str(root / "predictions.csv")],
    ]


def _call(arguments: list[str]) -> int:
    from mia_tui.cli.main import command as program

    code = program.main(arguments, prog_name="mia-tui", standalone_mode=False)
    return code if isinstance(code, int) else 0


def _show_next_steps(report: Report, root: Path) -> None:
    name = shlex.quote(str(root))
    report.say()
    report.say("Next steps:")
    report.say(f"  mia-tui {name}")
    report.say(f"  mia-tui runs show last --dataset {name}")
    report.say(f"  mia-tui train {name} --backbone mobilenetv2 --size 96 --epochs 30 --detach")
    report.say("  mia-tui train --help")
