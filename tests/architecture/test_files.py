"""Files are made, changed and removed by `mia_tui.files` alone, so that no link that somebody planted is followed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import mia_tui

HOME = Path(mia_tui.__file__).parent
OPENS = {"open"}
CHANGES = {
    *("write_text", "write_bytes", "touch", "truncate", "utime", "mknod", "mkfifo"),
    *("chmod", "lchmod", "chown", "lchown"),
    *("mkdir", "makedirs", "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory"),
    *(
        "rename",
        "renames",
        "replace",
        "move",
        "copy",
        "copy2",
        "copyfile",
        "copytree",
        "copymode",
        "copystat",
    ),
    *("unlink", "rmtree", "removedirs", "symlink", "symlink_to", "link", "hardlink_to"),
}
EXCEPTIONS = {
    "paths.py: folder.mkdir": "the user's own folders, below `files` in the order of imports; a link there is theirs",
    "terminal/ask.py: os.open": "the terminal",
    "cli/output/safe_stream.py: os.open": "/dev/null",
    "dataset/images/readers/pillow.py: Image.open": "of a file that `files` opened",
    "dataset/images/readers/deep_codecs.py: Image.open": "of a file that `files` opened",
    "dataset/interchange/csv_table.py: path.open": "what the user names, which may be a pipe",
    "dataset/interchange/folders_export.py: target.symlink_to": "makes a new name or fails",
    "dataset/interchange/folders_export.py: target.hardlink_to": "makes a new name or fails",
    "dataset/interchange/folders_export.py: os.utime": "of a descriptor",
    "engine/parallel/channel.py: tempfile.mkdtemp": "a new folder, which no other user may enter",
    "engine/parallel/channel.py: shutil.rmtree": "the same",
    "features/export.py: archive.open": "of a file that `files` opened",
    "features/table.py: os.utime": "of a descriptor",
    "report/archive.py: archive.open": "of a file that `files` opened",
    "runs/worker/launch.py: os.utime": "of a descriptor",
    "runs/list/orphaned_state.py: left.rename": "names a folder anew, or a link, and follows neither",
    "runs/worker/signals.py: os.open": "only to see whose lock it is; it follows no link",
    "runs/prediction/predictions.py: file.truncate": "of a file that `files` opened",
    "tui/pictures/image_view.py: shown.truncate": "of a line of text",
}
"""What is allowed, and why."""

NO_FILES = (
    "RunDir.open",
    "FeatureTable.open",
    "zipfile.ZipFile.open",
    "structs.replace",
    "msgspec.structs.replace",
    "shutil.copyfileobj",
)


def calls(tree: ast.Module) -> Iterator[str]:
    """What a module calls by a name of the lists above, as it is written there."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        owner, _, name = called.rpartition(".")
        if called in NO_FILES or name not in OPENS | CHANGES:
            continue
        if not owner and name != "open":  # a function of the project, as `files.rename`
            continue
        if name in ("replace", "copy", "move", "link") and not owner.startswith(("os", "shutil")):
            # `Path.replace` takes one argument, `str.replace` two, and what holds rows is no path.
            is_path = name == "replace" and len(node.args) == 1 and not node.keywords
            if not is_path or owner.startswith("self._"):
                continue
        yield called


def found() -> set[str]:
    return {
        f"{path.relative_to(HOME).as_posix()}: {call}"
        for path in HOME.rglob("*.py")
        if path != HOME / "files.py"
        for call in calls(ast.parse(path.read_text(encoding="utf-8")))
    }


def test_files_are_opened_and_changed_in_one_module() -> None:
    assert found() - set(EXCEPTIONS) == set()


def test_every_exception_is_still_needed() -> None:
    assert set(EXCEPTIONS) - found() == set()


def test_the_ways_around_the_module_are_seen() -> None:
    around = ast.parse(
        "open(p)\np.open('a')\nos.open(p, 0)\nos.replace(p, q)\np.replace(q)\nshutil.rmtree(p)\np.write_bytes(b'')\n"
        "text.replace('a', 'b')\nstructs.replace(record, a=1)\nRunDir.open(p)\nrename(p, 'q')\n"
    )
    assert len(list(calls(around))) == 7
