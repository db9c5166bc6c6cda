"""How long a training takes to its first step: the command, and a worker alone as the app starts one.

Beside it stands the floor, a plain script: torch and timm are imported, a network is built, and one step is done with
the first batch, decoded by Pillow. The variable MIA_TUI_EARLIER names the folder of an earlier version's source. The
first start of ours decodes the images, all others find them in the cache.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest
import torch
from photo_support import make_photos

from mia_tui.engine.training.time_use import EventClock, HostClock

EARLIER = os.environ.get("MIA_TUI_EARLIER")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
OPTIONS = [
    "--backbone",
    "resnet18",
    "--weights",
    "none",
    "--size",
    "96",
    "--epochs",
    "1",
    "--batch-size",
    "32",
]

MEASURE = """
import json, os, sys, time
begun = int(open("/proc/self/stat").read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
def end():
    wall = time.clock_gettime(time.CLOCK_BOOTTIME) - begun
    print(json.dumps([wall, time.process_time()]), flush=True)
    os._exit(0)
"""
OURS = (
    MEASURE
    + """
from mia_tui.runs.record import log
append = log.EventLog.append
def watched(self, event):
    append(self, event)
    if type(event).__name__ == "StepEnded":
        end()
log.EventLog.append = watched
"""
)
COMMAND = OURS + "from mia_tui.__main__ import main\nsys.argv[0] = 'mia-tui'\nmain()"
WORKER = OURS + "from mia_tui.worker import main\nmain()"
CREATE = """
import sys
from pathlib import Path
from mia_tui.config.check import make_config
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
settings = dict(backbone="resnet18", weights="none", width=96, height=96, epochs=1, batch_size=32)
print(prepare_training(read_dataset(Path(sys.argv[1]), follow=True), make_config(flags=settings)).create().path)
"""
PLAIN = (
    MEASURE
    + """
import torch, timm
import numpy as np
from pathlib import Path
from PIL import Image
files = sorted(Path(sys.argv[1]).rglob("*.jpg"))[:32]
pixels = np.stack([np.asarray(Image.open(file).convert("RGB").resize((96, 96), Image.BILINEAR)) for file in files])
images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255).sub(0.45).div(0.22)
targets = torch.arange(len(files)) % 2
model = timm.create_model("resnet18", num_classes=2).to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(model.parameters())
with torch.autocast("cpu", torch.bfloat16):
    output = model(images)
torch.nn.functional.cross_entropy(output.float(), targets).backward()
optimizer.step()
end()
"""
)


def said(code: str, *words: str, source: Path, home: Path) -> str:
    """The last line that a program prints."""
    environment = {"PYTHONPATH": str(source), "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=home,
        env={**os.environ, **environment},
    )
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.benchmark
def test_a_training_begins_soon(tmp_path: Path, say: list[str]) -> None:
    sources = {"now": Path(__file__).parents[2], **({"earlier": Path(EARLIER)} if EARLIER else {})}
    folders = {name: tmp_path / name for name in ("floor", *sources)}
    for folder in folders.values():
        for kind in "ab":
            make_photos(folder / "images" / kind, 50)
    times: dict[str, list[list[float]]] = {}
    for _ in range(ROUNDS + 1):
        for name, source in {"floor": sources["now"], **sources}.items():
            home, images = folders[name], str(folders[name] / "images")
            where = {"source": source, "home": home}
            if name == "floor":
                commands = {name: [PLAIN, images]}
            else:
                run = said(CREATE, images, **where)
                commands = {f"worker, {name}": [WORKER, run]}
                commands[f"command, {name}"] = [COMMAND, "train", images, *OPTIONS]
            for what, command in commands.items():
                times.setdefault(what, []).append(json.loads(said(*command, **where)))
    floors = [median(column) for column in zip(*times["floor"][1:], strict=True)]
    for name, all_times in times.items():
        wall, cpu = (median(column) for column in zip(*all_times[1:], strict=True))
        say.append(
            f"{name}: {wall:.2f} s ({wall / floors[0]:.2f} of the floor), processor {cpu:.2f} s "
            f"({cpu / floors[1]:.2f}); the first time {all_times[0][0]:.2f} s, processor {all_times[0][1]:.2f} s"
        )


class PassedEvent:
    """An event of a device that is as fast as the program."""

    def record(self) -> None:
        pass

    def query(self) -> bool:
        return True

    def elapsed_time(self, end_event: object) -> float:
        return 1.0


@pytest.mark.benchmark
def test_measuring_what_the_time_goes_into_takes_none(say: list[str]) -> None:
    """Beside a step of the smallest network that anybody trains; recording an event on a GPU takes some more."""
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.LazyLinear(2))
    images, steps, marks = torch.randn(8, 3, 32, 32), [], 20_000
    for _ in range(50):
        begun = time.process_time()
        model(images).sum().backward()
        steps.append(time.process_time() - begun)
    step_s = median(steps)
    for name, clock in (("clock", HostClock()), ("events", EventClock(PassedEvent))):
        begun = time.process_time()
        for _ in range(marks):
            for part in ("images", "augmenting", "computing"):
                clock.mark(part)
        each = (time.process_time() - begun) / marks
        say.append(f"{name}: {each * 1e6:.2f} us a step, {each / step_s:.2%} of one of {step_s * 1e3:.2f} ms")
