"""`mia-tui doctor`."""

import json
import os
from pathlib import Path

import pytest
from cli_support import Mia, make_terminal, on_terminal
from PIL import Image
from run_support import on_small_disk, run_python

from mia_tui.cli import doctor
from mia_tui.paths import user_cache, user_config_file
from mia_tui.runs.machine import torch_probe
from mia_tui.runs.machine.cores import Cores
from mia_tui.runs.machine.gpus import Gpu
from mia_tui.runs.machine.torch_probe import TorchFacts, probe_torch
from mia_tui.terminal.model import Terminal

GOOD = TorchFacts(torch="2.9.0", timm="1.0.31", device="CPU, 2 threads", precision="bf16", seconds=4.0)


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch works; asking it anew in every test would take seconds."""
    monkeypatch.setattr(doctor, "probe_torch", lambda: GOOD)
    monkeypatch.setattr(doctor, "list_gpus", lambda: [])


@pytest.mark.usefixtures("facts")
def test_a_machine_that_can_train_leaves_with_0(mia: Mia) -> None:
    answer = mia("doctor")
    assert (answer.code, answer.err) == (0, "")
    for topic in (
        "mia-tui",
        "Python",
        "torch",
        "Training on",
        "GPU",
        "Cache",
        "User state",
        "Weights",
        "Readers",
        "Terminal",
    ):
        assert any(line.startswith(topic) for line in answer.out.splitlines()), topic
    assert "torch           2.9.0 (no CUDA), timm 1.0.31" in answer.out


@pytest.mark.usefixtures("facts")
def test_readers_that_are_not_installed_are_a_note_with_what_to_install(
    mia: Mia, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"nd2", "pydicom"}
    monkeypatch.setattr(doctor, "find_spec", lambda name: name if name in there else None)
    answer = mia("doctor")
    said = " ".join(answer.out.split())
    assert answer.code == 0 and "nothing here reads a slide, CZI (Zeiss), LIF (Leica)" in said
    assert "ND2" not in said and "pip install 'mia-tui[microscopy]'" in said


@pytest.mark.usefixtures("facts")
def test_room_of_decoded_images_and_how_it_is_freed_are_said(mia: Mia) -> None:
    kept = user_cache() / "decoded" / "0a" / "1b" / "pixels-2c.bin"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"")
    os.truncate(kept, 1_500_000_000)
    said = " ".join(mia("doctor").out.split())
    assert f"Decoded images 1.5 GB of 1 dataset in {user_cache()}/decoded, at most " in said
    assert "decoded_gb in config.toml" in said and "delete that folder" in said


@pytest.mark.usefixtures("facts")
def test_every_finding_is_an_object(mia: Mia) -> None:
    decoding = [json.loads(line) for line in mia("doctor", "--json").out.splitlines()]
    assert all(list(record) == ["topic", "verdict", "text", "hint"] for record in decoding)
    assert {record["verdict"] for record in decoding} <= {"ok", "note"}


@pytest.mark.usefixtures("facts")
def test_a_gpu_that_torch_cannot_use_is_a_problem_with_its_reason(
    mia: Mia, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "this machine has an NVIDIA GPU, but torch 2.9.0 was built without CUDA; install a CUDA build."
    monkeypatch.setattr(
        doctor, "probe_torch", lambda: TorchFacts(torch="2.9.0", device="CPU", warning=reason)
    )
    monkeypatch.setattr(
        doctor, "list_gpus", lambda: [Gpu("GPU-1", "NVIDIA H200", 2 << 30, 1 << 30, 0, "550.1")]
    )
    answer = mia("doctor")
    assert answer.code == 1
    assert f"PROBLEM: CPU, 1 thread, arithmetic : {reason}" in answer.out
    assert "NVIDIA H200, 1.0 of 2.0 GiB free, driver 550.1" in answer.out


@pytest.mark.usefixtures("facts")
def test_busy_cores_are_a_note_with_the_threads_that_a_run_would_take(
    mia: Mia, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watch:
        def cores(self) -> Cores:
            return Cores(usable=8, busy=5.9, most=8)

    monkeypatch.setattr(doctor, "CoreWatch", Watch)
    out = " ".join(mia("doctor").out.split())
    assert "note: 8 usable, 5.9 kept busy by other programs (load " in out
    assert "a run would use 2 threads instead of 8. It would keep that number" in out
    assert "Training on CPU, 2 threads, arithmetic bf16" in out


@pytest.mark.usefixtures("facts")
def test_idle_gpus_are_counted_and_the_option_that_uses_them_is_named(
    monkeypatch: pytest.MonkeyPatch, mia: Mia
) -> None:
    free = (70, 75, 3)  # GB of 80
    gpus = [Gpu(f"GPU-{size}", "NVIDIA H100", 80 << 30, size << 30, 0, "550.1") for size in free]
    monkeypatch.setattr(doctor, "list_gpus", lambda: gpus)
    told = " ".join(mia("doctor").out.split())
    assert "2 of 3 idle; `mia-tui train DATASET --devices 2` trains on these together" in told


def test_no_gpu_is_reported_with_where_one_may_be(mia: Mia) -> None:
    assert (
        "note: this machine shows no NVIDIA GPU. On a cluster the login node often has none"
        in mia("doctor").out
    )


@pytest.mark.usefixtures("facts")
def test_torch_that_cannot_be_imported_is_a_problem(mia: Mia, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "probe_torch", lambda: TorchFacts(error="ImportError: libcudart.so.12"))
    answer = mia("doctor")
    assert answer.code == 1
    assert "PROBLEM: cannot be used: ImportError: libcudart.so.12" in answer.out
    assert "Training on" not in answer.out


@pytest.mark.usefixtures("facts")
def test_looking_at_a_dataset_writes_nothing_there(mia: Mia, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    answer = mia("doctor", "--dataset", tmp_path)
    assert f"Dataset         1 image in {tmp_path}\n" in answer.out
    assert f"Labels, runs    {tmp_path / 'mia'}, " in answer.out
    assert f"{tmp_path / 'elsewhere'}, " in mia("doctor", "--state", tmp_path / "elsewhere").out
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.usefixtures("facts")
def test_the_place_beside_class_folders_is_checked(mia: Mia, discs: Path) -> None:
    assert f"Labels, runs    {discs}.mia, " in mia("doctor", "--dataset", discs).out


@pytest.mark.usefixtures("facts")
def test_a_dataset_that_is_not_there_is_a_problem(mia: Mia, tmp_path: Path) -> None:
    answer = mia("doctor", "--dataset", tmp_path / "none")
    assert answer.code == 1
    assert f"Dataset         PROBLEM: There is no folder {tmp_path / 'none'}. Check" in answer.out


@pytest.mark.usefixtures("facts")
def test_a_place_that_cannot_be_written_is_a_problem_that_names_state(
    mia: Mia, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith(str(tmp_path)))
    answer = mia("doctor", "--dataset", tmp_path)
    assert answer.code == 1
    assert (
        f"PROBLEM: {tmp_path / 'mia'} cannot be written. Name another folder with --state DIR." in answer.out
    )


def test_a_read_only_disk_is_noticed_without_writing(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from mia_tui.cli.doctor import _folder
        print(_folder("Labels, runs", Path(sys.argv[1]) / "cells" / "mia", "Use --state.").verdict)
    """
    disk = tmp_path / "disk"
    assert on_small_disk(disk, code, disk, options="ro") == "bad"
    assert on_small_disk(disk, code, disk, options="size=1m") == "note"  # little room


@pytest.mark.usefixtures("facts")
def test_user_folders_that_cannot_be_made_are_only_a_note(
    mia: Mia, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken = tmp_path / "file"
    taken.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(taken))
    answer = mia("doctor")
    assert answer.code == 0
    assert "Cache           note: cannot be created: Not a directory." in answer.out


@pytest.mark.usefixtures("facts")
def test_a_run_that_would_end_with_its_job_is_reported(mia: Mia, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert "Detached runs   note: This terminal belongs to Slurm job 77" in mia("doctor").out


def test_torch_is_asked_in_a_process_of_its_own() -> None:
    code = """
        from mia_tui.runs.machine.torch_probe import probe_torch
        facts = probe_torch()
        assert "torch" not in sys.modules
        print(facts.error, facts.torch, facts.device.startswith("CPU") or facts.device)
    """
    error, version, device = run_python(code).split(maxsplit=2)
    assert error == "None"
    assert version[0].isdigit()
    assert device


@pytest.mark.parametrize(
    ("content", "longest_s", "words"),
    [
        ("raise ImportError('libcudart.so.12: cannot open shared object file')", 180.0, "libcudart.so.12"),
        ("import os; os._exit(139)", 180.0, "its process ended with code 139."),
        ("import time; time.sleep(600)", 1.0, "did not end within 1 s"),
    ],
)
def test_torch_that_fails_crashes_or_hangs_is_reported_and_does_not_crash_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, longest_s: float, words: str
) -> None:
    (tmp_path / "torch.py").write_text(content)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(torch_probe, "_LONGEST_S", longest_s)
    error = probe_torch().error
    assert error is not None
    assert words in error


@pytest.mark.usefixtures("facts")
def test_on_a_terminal_long_findings_continue_below_their_text(
    mia: Mia, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, make_terminal())
    monkeypatch.setenv("COLUMNS", "80")
    lines = mia("doctor").out.splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("GPU"))
    assert lines[place + 1].startswith(" " * 16 + "node often has none;")


@pytest.mark.usefixtures("facts")
@pytest.mark.parametrize(
    ("terminal", "said"),
    [
        (
            make_terminal("kitty", brand="kitty(0.35)"),
            "in full by the kitty protocol, 16 million colours, 10x20 pixels a cell, kitty(0.35)",
        ),
        (make_terminal("half", "256"), "note: coarse, of half blocks, 256 colours, 10x20 pixels a cell."),
        (
            make_terminal(
                "half", multiplexer="tmux", note="Not as asked.", hint="Put a line into tmux.conf."
            ),
            "note: coarse, of half blocks, 16 million colours, 10x20 pixels a cell, inside tmux. Not as asked. Put a "
            "line into tmux.conf.",
        ),
        (
            make_terminal("kitty", brand="tmux 3.6b", around="kitty(0.48.2)", multiplexer="tmux"),
            "in full by the kitty protocol, 16 million colours, 10x20 pixels a cell, kitty(0.48.2), inside tmux",
        ),
        (
            make_terminal("half", colourless=True),
            "note: coarse, of half blocks, 16 million colours in pictures, none elsewhere, 10x20 pixels a cell.",
        ),
        (make_terminal("none", "none"), "note: not shown, no colours, 10x20 pixels a cell."),
    ],
)
def test_what_the_terminal_shows_of_images_is_reported(
    mia: Mia, monkeypatch: pytest.MonkeyPatch, terminal: Terminal, said: str
) -> None:
    on_terminal(monkeypatch, terminal)
    monkeypatch.setenv("COLUMNS", "1000")
    assert f"\nImages          {said}\n" in mia("doctor").out


@pytest.mark.usefixtures("facts")
def test_without_a_terminal_nothing_is_asked_about_images(mia: Mia) -> None:
    assert "Images" not in mia("doctor").out


@pytest.mark.usefixtures("facts")
def test_it_goes_by_the_settings_as_the_app_does_and_names_their_file(
    mia: Mia, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = on_terminal(monkeypatch, make_terminal())
    monkeypatch.setenv("COLUMNS", "1000")
    file = user_config_file()
    assert f"\nSettings        none; they would be in {file}\n" in mia("doctor").out
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('graphics = "sixel"\ncolours = "256"\n')
    assert f"\nSettings        {file}\n" in mia("doctor").out
    file.write_text('graphics = "cubes"\n')
    assert "\nSettings        note: the app does not open: graphics in " in mia("doctor").out
    assert asked == ["auto", "sixel 256", "auto"]
