"""One network of each of the twelve families as ONNX and torch.export, against the program on 100 images.

Their weights are random, but set so that classes differ. Half an hour on two cores.
"""

import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from export_support import make_card, save_network, save_pictures

from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.engine.export.export import ExportOrder, export_network

pytestmark = pytest.mark.benchmark

FAMILIES = (
    ("densenet121", 64),
    ("efficientnetb0", 64),
    ("inceptionv3", 96),
    ("mobilenetv2", 64),
    ("nasnetmobile", 64),
    ("resnet50v2", 64),
    ("resnext50", 64),
    ("seresnet18", 64),
    ("seresnext50", 64),
    ("senet154", 64),
    ("vgg16", 64),
    ("xception", 80),
)
IMAGES = 100


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pictures(tmp_path_factory.mktemp("cells"), IMAGES)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 bits, four channels."""
    folder = tmp_path_factory.mktemp("deep")
    random = np.random.default_rng(4)
    for number in range(IMAGES):
        y, x = np.mgrid[:70, : 50 + number % 7]
        waves = [np.sin(x / random.uniform(2, 9)) * np.cos(y / random.uniform(2, 9)) for _ in range(4)]
        values = np.stack(waves) * 2000 + 3000 + random.normal(0, 100, (4, *x.shape))
        tifffile.imwrite(
            folder / f"{number:03}.tif",
            values.clip(0, 65535).astype(np.uint16),
            metadata={"axes": "CYX"},
            imagej=True,
        )
    return folder


def _export(weights: Path, images: Path, out: Path, format_name: str) -> str:
    started = time.perf_counter()
    order = ExportOrder(weights=weights, format=format_name, out=out, dataset=images, threads=2, keep=True)  # type: ignore[arg-type]
    result = export_network(order)
    agreement = result.agreement
    assert agreement.is_close and agreement.images == IMAGES, (format_name, agreement)
    seconds = time.perf_counter() - started
    size = max(result.files.values()) / 1e6
    return f"{format_name}: {agreement.difference:.1e} ({size:.0f} MB, {seconds:.0f} s)"


@pytest.mark.parametrize(("backbone", "side"), FAMILIES)
def test_a_network_of_each_family(backbone: str, side: int, pictures: Path, tmp_path: Path) -> None:
    card = make_card(backbone, width=side, height=side)
    weights = save_network(tmp_path / "best.safetensors", card, pictures)
    said = [_export(weights, pictures, tmp_path / name, name) for name in ("onnx", "torch")]
    print(f"\n{backbone}: {'; '.join(said)}")


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnetb0"])
def test_16_bits_and_several_channels(backbone: str, stacks: Path, tmp_path: Path) -> None:
    limits = ValueLimits(dtype="uint16", low=[500.0] * 4, high=[5500.0] * 4)
    input_map = InputMap(mode="dataset", channels=["0", "1", "2", "3"], limits=[limits], bits=16)
    card = make_card(backbone, width=64, height=64, input_map=input_map)
    weights = save_network(tmp_path / "best.safetensors", card, stacks)
    said = [_export(weights, stacks, tmp_path / name, name) for name in ("onnx", "torch")]
    print(f"\n{backbone}, 16 bits, four channels: {'; '.join(said)}")
