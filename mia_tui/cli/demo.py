"""`mia-tui demo`: label, train, evaluate and predict on images it draws, with the commands a user would type."""

import shlex
from pathlib import Path

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import WATCH_HELP, Command, Option, check_watch, json_option, path_argument
from mia_tui.errors import ConfigError
from mia_tui.text import printable

DEFAULT_FOLDER = Path("mia-demo")
PREDICTIONS = "predictions.csv"
UNLABELLED = 24
"""Images that the tour begins with, to be labelled by hand."""

# Chosen for about a minute of training on two CPU cores.
TRAIN_OPTIONS = ("--backbone", "resnet18", "--size", "64", "--epochs", "15", "--test-fraction", "0.2")


@click.command("demo", cls=Command)
@path_argument("folder", required=False)
@click.option("--watch", cls=Option, is_flag=True, help=WATCH_HELP)
@click.option(
    "--app",
    "in_app",
    cls=Option,
    is_flag=True,
    help="Then open it in the app, with a tour of six steps; a finished demo is opened at once.",
)
@json_option
def command(folder: Path | None, watch: bool, in_app: bool, as_json: bool) -> int:
    """Draw stained blood cells into FOLDER (mia-demo), label them, train, evaluate and predict.

    Nothing is downloaded; it takes about a minute on two free CPU cores.
    """
    check_watch(watch, as_json=as_json)
    if in_app:
        from mia_tui.cli.open import require_terminal

        if as_json:
            raise ConfigError("--app opens the app, and --json prints records.", "Leave one of them out.")
        require_terminal()
    report = Report(as_json=as_json)
    root = folder or DEFAULT_FOLDER
    if in_app and _is_finished(root):
        return _open_tour(root)
    code = _make(report, root, watch=watch, as_json=as_json)
    if code or not in_app:
        return code
    return _open_tour(root)


def _make(report: Report, root: Path, *, watch: bool, as_json: bool) -> int:
    _render(report, root)
    for arguments in _steps(root):
        if watch and arguments[0] == "train":
            arguments.append("--watch")
        report.say()
        report.say(f"$ {shlex.join(['mia-tui', *arguments])}")
        code = _call([*arguments, *(["--json"] if as_json else [])])
        if code:
            return code
    _show_next_steps(report, root)
    return 0


def _is_finished(root: Path) -> bool:
    """Whether all of the demo was made here."""
    from mia_tui.dataset.demo import holds_demo

    return holds_demo(root) and (root / PREDICTIONS).exists()


def _open_tour(root: Path) -> int:
    """Open the demo in the app with its tour; at its first beginning some images lose their label, to be labelled."""
    from mia_tui.cli.open import open_dataset
    from mia_tui.dataset.demo import IMAGES
    from mia_tui.dataset.model import ImageKey
    from mia_tui.dataset.store.label_store import LabelStore
    from mia_tui.paths import find_state

    state = find_state(root, None)
    file = state.root / "tour"
    if not file.exists():
        with LabelStore(state.labels_db) as store:
            first = [ImageKey(f"{IMAGES}/cell_{number:04d}.png") for number in range(1, UNLABELLED + 1)]
            store.set_labels([(key, None) for key in first], source="person")
    return open_dataset(root, state=None, annotator=None, graphics=None, tour=file)


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
        ["predict", str(root / IMAGES), *run, "--dataset", dataset, "--out", str(root / PREDICTIONS)],
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
    report.say(f"  mia-tui demo {name} --app" if root != DEFAULT_FOLDER else "  mia-tui demo --app")
    report.say(f"  mia-tui runs show last --dataset {name}")
    report.say(f"  mia-tui report last --dataset {name}")
    report.say(f"  mia-tui train {name} --backbone mobilenetv2 --size 96 --epochs 30 --detach")
    report.say("  mia-tui train --help")
