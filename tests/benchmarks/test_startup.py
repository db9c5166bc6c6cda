"""How long `mia-tui --help` takes more than Python itself."""

import statistics
import subprocess
import sys
import time

import pytest

ROUNDS = 15
TARGET_S = 0.15


def seconds(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


@pytest.mark.benchmark
def test_help_is_there_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [(seconds("-c", "pass"), seconds("-m", "mia_tui", "--help")) for _ in range(ROUNDS + 1)][1:]
    floor, helped = (statistics.median(column) for column in zip(*pairs, strict=True))
    with capsys.disabled():
        print(
            f"\npython -c pass: {floor * 1000:.0f} ms; mia-tui --help: {helped * 1000:.0f} ms; "
            f"more: {(helped - floor) * 1000:.0f} ms (target under {TARGET_S * 1000:.0f} ms)"
        )
