"""How tests run the app."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent.parent
BY = TESTS / "tui" / "tui_support.py"


def test_all_tests_run_apps_by_the_one_function_that_fails_at_a_fault() -> None:
    callers = {
        path
        for path in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("run_test", "run_async")
    }
    assert callers == {BY}, "use tui_support.running, which fails the test at a fault in the app"
