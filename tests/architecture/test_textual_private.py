"""What is private to Textual is used in one module only, where each use has its reason and its test."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import textual
from textual.widget import Widget

import mia_tui.tui
from mia_tui.tui import textual_private

MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(mia_tui.tui.__path__, "mia_tui.tui.")
    if name != textual_private.__name__
]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def written_on_self(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@cache
def names_of_textual() -> frozenset[str]:
    """Every private attribute, method and function in Textual's source."""
    found = set()
    for path in Path(textual.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        found.update(written_on_self(tree))
        found.update(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(filter(is_private, found))


@cache
def names_of(base: type) -> frozenset[str]:
    """The private names that a class of Textual's gives to what is derived from it."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(base)))
    return frozenset(filter(is_private, {*vars(base), *written_on_self(tree)}))


def inherited(made: type) -> frozenset[str]:
    bases = [base for base in made.__mro__ if base.__module__.startswith("textual.")]
    return frozenset().union(*map(names_of, bases))


def is_own(node: ast.expr) -> bool:
    """Whether this is the object itself: self, cls or super()."""
    if isinstance(node, ast.Call):
        node = node.func
    return isinstance(node, ast.Name) and node.id in ("self", "cls", "super")


def used_of(module: ModuleType) -> Iterator[str]:
    """The private names of Textual's that a module uses, or takes for its own in a class derived from Textual's."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
            yield from filter(is_private, (node.module or "").split("."))
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) != "os._exit" and not is_own(node.value):
            yield from {node.attr} & names_of_textual()
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            known = inherited(vars(module)[node.name])
            yield from {name for name in names_in(node) if name in known}


def names_in(made: ast.ClassDef) -> Iterator[str]:
    for node in ast.walk(made):
        if isinstance(node, ast.Attribute) and is_own(node.value):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def test_nothing_private_of_textual_is_used_outside_of_the_module_for_it() -> None:
    used = {name: set(used_of(importlib.import_module(name))) for name in MODULES}
    assert {name: names for name, names in used.items() if names} == {}


def test_a_private_name_is_found_wherever_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leaning.py").write_text(
        "from textual._compositor import Compositor\n"
        "from textual.keys import _character_to_key\n"
        "from textual.widget import Widget\n"
        "class Leaning(Widget):\n"
        "    def _size_updated(self): self._layout_updates = 1\n"
        "    def other(self): self.mine = self.screen._compositor\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    leaning = importlib.import_module("leaning")
    assert issubclass(leaning.Leaning, Widget)
    assert set(used_of(leaning)) == {
        "_character_to_key",
        "_compositor",
        "_layout_updates",
        "_size_updated",
    }
