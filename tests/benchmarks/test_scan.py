"""How long it takes to find 100,000 images, and until the first one is there on a slow disk."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mia_tui.dataset.hashes import duplicate_groups
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.scan.walk import scan_files

pytestmark = pytest.mark.benchmark

FOLDERS, FILES = 100, 1000

Tell = Callable[[str], None]

# Every stat of a file or folder takes a millisecond more; statx is what newer C libraries call.
SLOW_STAT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>
#define SLOW(name, parameters, arguments) \
    int name parameters { \
        static int (*real) parameters; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        usleep(1000); \
        return real arguments; \
    }
SLOW(stat, (const char *p, struct stat *s), (p, s))
SLOW(lstat, (const char *p, struct stat *s), (p, s))
SLOW(fstatat, (int d, const char *p, struct stat *s, int f), (d, p, s, f))
SLOW(stat64, (const char *p, struct stat64 *s), (p, s))
SLOW(lstat64, (const char *p, struct stat64 *s), (p, s))
SLOW(fstatat64, (int d, const char *p, struct stat64 *s, int f), (d, p, s, f))
SLOW(statx, (int d, const char *p, int f, unsigned int m, struct statx *s), (d, p, f, m, s))
"""

FIRST_AND_ALL = """
import sys, time
from pathlib import Path
from mia_tui.dataset.scan.scan import scan, scan_files
root = Path(sys.argv[1])
started = time.perf_counter(); root.stat(); one = time.perf_counter() - started
started = time.perf_counter(); next(scan_files(root)); first = time.perf_counter() - started
started = time.perf_counter(); count = len(scan(root).keys); whole = time.perf_counter() - started
print(one, first, whole, count)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large")
    for folder in range(FOLDERS):
        path = root / f"plate {folder}"
        path.mkdir()
        for file in range(FILES):
            (path / f"cell-{file}.png").touch()
    return root


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Says a measurement on the terminal, past pytest's capture."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return say


def test_100_000_images_are_found_in_seconds(large: Path, tell: Tell) -> None:
    floor = min(_timed(lambda: _walk_and_stat(large)) for _ in range(3))
    listing = min(_timed(lambda: sum(1 for _ in scan_files(large))) for _ in range(3))
    whole = min(_timed(lambda: scan(large)) for _ in range(3))
    tell(
        f"{FOLDERS * FILES:,} images: os.walk and stat {floor:.2f} s, scan_files {listing:.2f} s, "
        f"scan {whole:.2f} s ({whole / floor:.1f} times the floor)"
    )


def test_the_first_image_is_there_within_a_second_on_a_slow_disk(
    large: Path, tmp_path: Path, tell: Tell
) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler to slow down stat")
    source, library = tmp_path / "slow.c", tmp_path / "slow.so"
    source.write_text(SLOW_STAT)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    said = subprocess.run(
        [sys.executable, "-c", FIRST_AND_ALL, str(large)],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    one, first, whole, count = (float(word) for word in said.split())
    tell(
        f"One stat {one * 1e3:.1f} ms: first image after {first * 1e3:.0f} ms, "
        f"all {count:,.0f} with sizes after {whole:.1f} s"
    )


def test_hashing_images_of_equal_size(tmp_path: Path, tell: Tell) -> None:
    content = os.urandom(1_000_000)
    for index in range(200):
        (tmp_path / f"{index}.bmp").write_bytes(index.to_bytes(4, "big") + content)
    files = scan(tmp_path).files
    taken = _timed(lambda: duplicate_groups(tmp_path, files))
    tell(f"Hashing 200 files of 1 MB: {taken:.2f} s ({200 / taken:.0f} MB/s)")


def _walk_and_stat(root: Path) -> None:
    for folder, _, names in os.walk(root):
        for name in names:
            os.stat(f"{folder}/{name}")  # noqa: PTH116


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
