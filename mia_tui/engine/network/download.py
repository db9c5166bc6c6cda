"""Downloading ImageNet weights, with a limit on the waiting time.

Without internet the model hub's own client gives up after 46 seconds, on a network that accepts connections and never
answers after 13 minutes, and torch.hub waits forever (measured). So the address is tested first, for a few seconds.
"""

import hashlib
import os
import re
import ssl
import threading
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from mia_tui.config import weights_cache
from mia_tui.errors import WeightsError
from mia_tui.files import add_folder, new_content
from mia_tui.text import printable

PROBE_S = 5.0
_READ_S = 30.0
_CHUNK_BYTES = 1 << 20
_AGENT = {"User-Agent": "mia-tui"}


def hub_address(repo: str) -> str:
    """The address of a repository's weights on the hub, or on the mirror named by HF_ENDPOINT."""
    return f"{_endpoint()}/{repo}/resolve/main/{weights_cache.HUB_FILES[0]}"


def hub_is_offline() -> bool:
    """Whether the user told huggingface_hub not to use the network."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def answers(url: str, timeout_s: float = PROBE_S) -> bool:
    """Whether an address answers in time; the user's proxies are used.

    In a thread, since looking up a host name has no time limit.
    """
    outcome: list[bool] = []
    thread = threading.Thread(target=lambda: outcome.append(_asked(url, timeout_s)), daemon=True)
    thread.start()
    thread.join(timeout_s)
    return bool(outcome and outcome[0])


def from_hub(repo: str) -> Path:
    """Download a model's weights into the user's hub cache.

    Raises:
        WeightsError: If that fails.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # Its HTTP library has changed twice; the first parent is the base of all errors of that library.
    base: type[Exception] = HfHubHTTPError.__bases__[0]
    disable_progress_bars()
    # Passed as arguments because the library reads the environment only once, at its import.
    fetch = partial(hf_hub_download, repo, endpoint=_endpoint(), cache_dir=weights_cache.hub_cache())
    try:
        try:
            return Path(fetch(weights_cache.HUB_FILES[0]))
        except EntryNotFoundError:  # older repositories have only this one
            return Path(fetch(weights_cache.HUB_FILES[1]))
    except (OSError, RuntimeError, EntryNotFoundError, base) as error:
        raise _failed(hub_address(repo), error) from error


def from_url(url: str, folder: Path | None = None) -> Path:
    """Download a file into torch.hub's folder of checkpoints.

    Plain http can be altered in transit, so there the file must have the hash that its name ends with.

    Raises:
        WeightsError: If that fails, or the file is not whole or not the one that was published.
    """
    path = (folder or weights_cache.torch_cache()) / weights_cache.url_name(url)
    try:
        add_folder(path.parent, parents=True, mode=0o777)
        with new_content(path, mode=0o666) as file:
            digest = _fetch(url, file)
            expected = re.search(r"-([0-9a-f]{8,})\.", path.name)
            if url.startswith("http:") and expected and not digest.startswith(expected[1]):
                raise WeightsError(
                    f"What {urlsplit(url).hostname} sent as {path.name} is not the file that was published.",
                    "Pass a file that you trust with --weights FILE.",
                )
    except (OSError, urllib.error.URLError) as error:
        raise _failed(url, error) from error
    return path


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _asked(url: str, timeout_s: float) -> bool:
    request = urllib.request.Request(url, method="HEAD", headers=_AGENT)
    try:
        urllib.request.urlopen(request, timeout=timeout_s).close()
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        # An unknown certificate is an answer, too; the hub's client may know it.
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, ValueError):
        return False
    return True


def _fetch(url: str, file: BinaryIO) -> str:
    """Copy an address into a file; returns the SHA-256 in hex."""
    digest = hashlib.sha256()
    received = 0
    with urllib.request.urlopen(urllib.request.Request(url, headers=_AGENT), timeout=_READ_S) as answer:
        while chunk := answer.read(_CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
        announced = answer.headers.get("Content-Length")
    if announced is not None and received != int(announced):
        raise OSError(f"only {received} of {announced} bytes came")
    return digest.hexdigest()


def _failed(url: str, error: BaseException) -> WeightsError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return WeightsError(
        f"Downloading {url} failed: {printable(reason)}.",
        "Try again, download it elsewhere and pass it with --weights FILE, or take the backbone efficientnetlite0, "
        "whose weights are always on this disk.",
    )
