"""What really gets imported at run time; import-linter sees only what is written."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from run_support import python, run_python

import mia_tui
from mia_tui.cli.main import COMMANDS
from mia_tui.dataset.images.formats import FORMATS

SCREEN = ("textual", "textual_image")
HEAVY = ("torch", "torchvision", "timm", "torchmetrics", "rich", *SCREEN, "numpy", "PIL", "msgspec", "pynvml")
HEADLESS = (
    "mia_tui.worker",
    "mia_tui.previewer",
    "mia_tui.step_timer",
    "mia_tui.image_predictor",
)  # processes of their own
TORCH = ("torch", "torchvision", "timm", "torchmetrics")

WITHOUT_PACKAGE = {
    f"mia_tui.dataset.images.readers.{one.module}"
    for one in FORMATS
    if one.package and find_spec(one.package) is None
}
"""Readers whose package is not installed here."""
MODULES = sorted(
    {
        ".".join(path.relative_to(Path(mia_tui.__file__).parent.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        )
        for path in Path(mia_tui.__file__).parent.rglob("*.py")
    }
    - WITHOUT_PACKAGE
)
WITHOUT_TORCH = [name for name in MODULES if not name.startswith("mia_tui.engine") and name not in HEADLESS]
BELOW_CLI = [
    name
    for name in MODULES
    if not name.startswith(("mia_tui.cli", "mia_tui.tui")) and name not in ("mia_tui.__main__", *HEADLESS)
]
APP = [name for name in MODULES if name.startswith("mia_tui.tui")]
KEY_TABLES = [name for name in MODULES if name.startswith("mia_tui.tui.keys.tables")]

LOADED = """
    import importlib
    forbidden, *names = sys.argv[1:]
    for name in names:
        importlib.import_module(name)
        found = [module for module in forbidden.split(",") if module in sys.modules]
        if found:
            sys.exit(f"{name} imports {found}")
"""
CALLED = """
    from mia_tui.__main__ import main
    forbidden, *sys.argv[1:] = sys.argv[1:]
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
    found = [module for module in forbidden.split(",") if module in sys.modules]
    sys.exit(f"{found} imported" if found else 0)
"""


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_and_version_import_nothing_heavy(words: list[str]) -> None:
    run_python(CALLED, ",".join(HEAVY), *words)


def test_only_engine_and_worker_import_torch() -> None:
    run_python(LOADED, ",".join(TORCH), *WITHOUT_TORCH)


def test_a_process_that_imports_torch_takes_what_it_needs_and_looks_for_no_garbage_meanwhile() -> None:
    """Each of these once made up a fifth of the start of a run, or more."""
    run_python(
        """
        import gc
        looks = lambda: sum(generation["collections"] for generation in gc.get_stats())
        before = looks()
        import mia_tui.engine
        assert "torch" in sys.modules and looks() - before < 50, looks() - before
        assert gc.isenabled() and gc.get_freeze_count() > 50_000, gc.get_freeze_count()
        import mia_tui.previewer, mia_tui.engine.jobs.train
        from mia_tui.engine.device import pick_device, set_up
        set_up(pick_device("cpu").device, threads=1, deterministic=False)  # then the images of a training begin
        assert not {"timm", "torchvision", "torch._dynamo"} & set(sys.modules)
        import mia_tui.engine.network
        assert "timm" in sys.modules and gc.get_freeze_count() > 200_000, gc.get_freeze_count()
        import mia_tui.image_predictor, mia_tui.engine.jobs.predict, mia_tui.engine.training.train
        assert not {"torchmetrics", "scipy", "sklearn", "matplotlib"} & set(sys.modules)
        """
    )


def test_nothing_below_the_app_and_the_command_line_imports_what_draws_or_parses_it() -> None:
    names = [name for name in BELOW_CLI if not name.startswith("mia_tui.engine")]
    run_python(LOADED, ",".join(("rich", "click", *SCREEN)), *names)


def test_the_app_imports_neither_the_engine_nor_click_nor_a_library_that_asks_the_terminal() -> None:
    run_python(LOADED, "mia_tui.engine,mia_tui.cli,click,textual_image", *APP)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_imports_neither_torch_nor_rich_nor_textual(name: str) -> None:
    run_python(CALLED, ",".join((*TORCH, *SCREEN, "rich", "numpy", "PIL")), name, "--help")


def test_commands_that_need_no_network_do_not_import_torch(discs: Path) -> None:
    for words in (
        ["backbones"],
        ["runs", "list"],
        ["labels", "import", discs, "--format", "folders"],
        ["labels", "split", discs],
        ["labels", "stats", discs],
        ["labels", "export", discs],
        ["show", discs / "red" / "cell-0.png", "--graphics", "none"],
    ):
        run_python(CALLED, ",".join((*TORCH, *SCREEN, "rich")), *words)


def test_printing_an_image_imports_neither_torch_nor_textual(discs: Path) -> None:
    run_python(CALLED, ",".join((*TORCH, "textual")), "show", discs / "red" / "cell-0.png")


def test_a_module_that_imports_too_much_is_caught() -> None:
    done = subprocess.run(python(LOADED, "msgspec", "mia_tui.config.train"), capture_output=True, check=False)
    assert done.returncode == 1


def test_textual_is_not_imported_before_the_terminal_has_told_its_colours() -> None:
    """Textual takes its colours from the environment when it is imported, and never looks again."""
    run_python(LOADED, "textual", "mia_tui.cli.open", *KEY_TABLES, "mia_tui.tui.start")


def test_the_keys_of_a_screen_are_imported_with_that_screen() -> None:
    """Labelling at the start needs one table of many, unless the user sets keys."""
    run_python(
        """
        from mia_tui.cli.open import user_settings
        import mia_tui.tui.label.screen
        from mia_tui.tui.keys.bindings import key_hints
        user_settings()
        key_hints("label", {})
        tables = {name.rpartition(".")[2] for name in sys.modules if name.startswith("mia_tui.tui.keys.tables.")}
        assert tables == {"label"}, tables
        key_hints("grid", {})
        assert "mia_tui.tui.keys.tables.grid" in sys.modules
        """
    )
