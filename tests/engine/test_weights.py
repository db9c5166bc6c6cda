"""Loading weights: all of the features or none; finding them: at once or with a sentence within seconds."""

import hashlib
import io
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from export_support import make_card, save_network, save_pictures
from patience import Patience
from safetensors.torch import save, save_file
from torch import Tensor, nn

from mia_tui.engine.network import download
from mia_tui.engine.network.backbones import build_model, head_names
from mia_tui.engine.network.weights import (
    clear_head,
    find_weights,
    load_weights,
    read_weights,
    take_over_head,
)
from mia_tui.engine.training.checkpoint import load_model
from mia_tui.errors import WeightsError
from mia_tui.runs.record.job import JobClass

pytestmark = pytest.mark.usefixtures("networks_are_let_go")

SEARCH_S = 8.0
"""What a user waits at most for the sentence that there is no internet; the probe itself takes 5 s."""


def model_of(name: str, seed: int = 0, **options: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(name, num_classes=options.pop("num_classes", 3), **options)


def imagenet_state(name: str) -> dict[str, Tensor]:
    """A state dict as timm publishes them: with a head of 1,000 classes."""
    return dict(_imagenet_state(name))


@lru_cache(maxsize=1)
def _imagenet_state(name: str) -> dict[str, Tensor]:
    return dict(model_of(name, seed=1, num_classes=1000).state_dict())


def save_torch(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def load(name: str, path: Path, *, channels: int = 3) -> nn.Module:
    model = model_of(name, in_channels=channels)
    load_weights(model, path, backbone=name, in_channels=channels)
    return model


def assert_features_equal(model: nn.Module, state: dict[str, Tensor]) -> None:
    head = head_names(model)
    for name, value in model.state_dict().items():
        if name not in head:
            assert torch.equal(value, state[name]), name


class TestLoading:
    def test_features_are_loaded_and_the_head_stays_new(self, tmp_path: Path) -> None:
        state = imagenet_state("resnet18")
        model = load("resnet18", save_torch(state, tmp_path / "w.pth"))
        assert_features_equal(model, state)
        fresh = model_of("resnet18").state_dict()
        assert all(torch.equal(model.state_dict()[name], fresh[name]) for name in head_names(model))

    def test_a_head_of_the_same_size_stays_new_too(self, tmp_path: Path) -> None:
        path = save_torch(model_of("resnet18", seed=1).state_dict(), tmp_path / "w.pth")
        model = load("resnet18", path)
        assert torch.equal(model.get_parameter("fc.weight"), model_of("resnet18").get_parameter("fc.weight"))

    @pytest.mark.parametrize("name", ["efficientnetlite0", "resnet50v2"])
    def test_a_cleared_head_says_the_same_of_all_classes(self, name: str) -> None:
        model = model_of(name)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        clear_head(model)
        with torch.no_grad():
            assert not model.eval()(torch.rand(1, 3, 64, 64)).any()
        assert_features_equal(model, before)

    @pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w"])
    def test_safetensors_are_read_whatever_they_are_called(self, tmp_path: Path, name: str) -> None:
        state = imagenet_state("resnet18")
        save_file(state, tmp_path / name)
        assert_features_equal(load("resnet18", tmp_path / name), state)

    def test_files_of_old_torch_are_read(self, tmp_path: Path) -> None:
        state = {k: v for k, v in imagenet_state("resnet18").items() if "num_batches" not in k}
        torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
        model = load("resnet18", tmp_path / "old.pth")
        assert torch.equal(model.get_parameter("conv1.weight"), state["conv1.weight"])

    @pytest.mark.parametrize("wrapper", ["state_dict", "model", "state_dict_ema"])
    def test_what_training_scripts_put_around_the_weights_is_taken_off(
        self, tmp_path: Path, wrapper: str
    ) -> None:
        state = imagenet_state("resnet18")
        inner = {f"module.{name}": value for name, value in state.items()}
        path = save_torch({"epoch": 3, wrapper: inner}, tmp_path / "checkpoint.pth.tar")
        assert_features_equal(load("resnet18", path), state)

    def test_half_precision_is_widened(self, tmp_path: Path) -> None:
        state = {k: v.half() if v.is_floating_point() else v for k, v in imagenet_state("resnet18").items()}
        model = load("resnet18", save_torch(state, tmp_path / "w.pth"))
        assert model.get_parameter("conv1.weight").dtype == torch.float32
        assert torch.equal(model.get_parameter("conv1.weight"), state["conv1.weight"].float())

    def test_vgg_takes_its_convolutions_from_files_with_fully_connected_layers(self, tmp_path: Path) -> None:
        convolutions = {k: v for k, v in imagenet_state("vgg16").items() if k.startswith("features")}
        ours = convolutions | {"pre_logits.fc1.weight": torch.zeros(9), "head.fc.weight": torch.zeros(9)}
        theirs = convolutions | {"classifier.0.weight": torch.zeros(9), "classifier.6.bias": torch.zeros(9)}
        for number, state in enumerate((ours, theirs)):
            model = load("vgg16", save_torch(state, tmp_path / f"{number}.pth"))
            assert_features_equal(model, convolutions)

    def test_names_of_torchvision_are_understood_where_timm_understands_them(self, tmp_path: Path) -> None:
        state = imagenet_state("densenet121")
        state = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
        pattern = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])")
        theirs = {pattern.sub(r"\1.\2", key): value for key, value in state.items()}
        assert set(theirs) != set(state)
        model = load("densenet121", save_torch(theirs, tmp_path / "w.pth"))
        assert_features_equal(model, model.state_dict() | state)

    def test_weights_of_other_timm_models_are_loaded_for_another_size(self, tmp_path: Path) -> None:
        name = "timm:vit_tiny_patch16_224"
        state = build_model(name, num_classes=1000).state_dict()
        model = build_model(name, num_classes=2, input_size=(32, 64))
        load_weights(model, save_torch(state, tmp_path / "w.pth"), backbone=name, in_channels=3)
        assert torch.equal(model.get_parameter("blocks.3.mlp.fc1.weight"), state["blocks.3.mlp.fc1.weight"])


class TestChannels:
    @pytest.mark.parametrize("name", ["resnet18", "nasnetmobile", "resnet50v2", "vgg16", "efficientnetb0"])
    def test_a_grey_image_gives_a_mono_network_the_features_it_had_in_colour(
        self, tmp_path: Path, name: str
    ) -> None:
        path = save_torch(imagenet_state(name), tmp_path / "w.pth")
        colour, mono = load(name, path).eval(), load(name, path, channels=1).eval()
        grey = torch.rand(2, 1, 64, 64)
        with torch.no_grad():
            expected = colour.forward_features(grey.expand(-1, 3, -1, -1))  # type: ignore[operator]
            features = mono.forward_features(grey)  # type: ignore[operator]
        torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-3 * expected.abs().max().item())

    def test_one_channel_is_the_sum_and_four_are_repeated_and_scaled(self, tmp_path: Path) -> None:
        state = imagenet_state("resnet18")
        path = save_torch(state, tmp_path / "w.pth")
        first = state["conv1.weight"]
        one = load("resnet18", path, channels=1).get_parameter("conv1.weight")
        four = load("resnet18", path, channels=4).get_parameter("conv1.weight")
        torch.testing.assert_close(one.detach(), first.sum(1, keepdim=True))
        torch.testing.assert_close(four.detach(), torch.cat([first, first[:, :1]], dim=1) * 0.75)

    def test_a_mono_network_can_start_a_colour_one(self, tmp_path: Path) -> None:
        state = model_of("resnet18", seed=1, in_channels=1).state_dict()
        model = load("resnet18", save_torch(state, tmp_path / "w.pth"))
        torch.testing.assert_close(
            model.get_parameter("conv1.weight").detach().sum(1, keepdim=True), state["conv1.weight"]
        )


class TestRefusing:
    @pytest.mark.parametrize(
        ("ours", "theirs", "words"),
        [
            ("resnet18", "resnet34", "has, unlike the network,"),  # every key of resnet18 is in it
            ("resnet34", "resnet18", "lacks"),
            ("resnet18", "resnet50", "there and"),
            ("resnet50", "resnet50v2", "lacks"),
            ("seresnet18", "resnet18", "lacks"),
            ("vgg19", "vgg16", "there and"),
            ("vgg16", "vgg19", "there and"),
            ("efficientnetb0", "efficientnetb1", "lacks|has, unlike|there and"),
        ],
    )
    def test_a_file_of_another_network_is_refused_and_nothing_changes(
        self, tmp_path: Path, ours: str, theirs: str, words: str
    ) -> None:
        path = save_torch(imagenet_state(theirs), tmp_path / "w.pth")
        model = model_of(ours)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with pytest.raises(WeightsError, match=words) as caught:
            load_weights(model, path, backbone=ours, in_channels=3)
        assert f"does not hold weights of {ours}" in caught.value.message
        assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
    @pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
    def test_a_file_that_was_cut_short_is_refused(self, tmp_path: Path, form: str, share: float) -> None:
        name = "timm:test_resnet"
        data = _encoded(model_of(name).state_dict(), form)
        (tmp_path / "w.pth").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(WeightsError, match=r"cannot be read as weights: it is cut short"):
            load(name, tmp_path / "w.pth")

    @pytest.mark.filterwarnings("ignore:Detected pickle protocol")
    @pytest.mark.parametrize(
        "data", [b"", b"{}", b"GIF89a....", b"\x00" * 100, b"\xff" * 8 + b"{}", b"\x80\x04N."]
    )
    def test_other_files_are_refused(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "w.pth").write_bytes(data)
        with pytest.raises(WeightsError):
            read_weights(tmp_path / "w.pth")

    @pytest.mark.parametrize("content", [torch.zeros(3), [], {}, {"a": 1}, {"state_dict": {"a": "b"}}])
    def test_files_of_torch_without_weights_are_refused(self, tmp_path: Path, content: object) -> None:
        with pytest.raises(WeightsError, match="holds no weights by name"):
            read_weights(save_torch(content, tmp_path / "w.pth"))

    def test_pickled_objects_are_not_opened(self, tmp_path: Path) -> None:
        marker = tmp_path / "ran"
        path = save_torch({"state_dict": {}, "run": _Runs(marker)}, tmp_path / "w.pth")
        with pytest.raises(WeightsError, match="holds more than tensors"):
            read_weights(path)
        assert not marker.exists()

    def test_a_missing_file_is_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="cannot be read: No such file"):
            read_weights(tmp_path / "none.pth")


class _Runs:
    """Pickles into a call that makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.path),)


def _encoded(state: dict[str, Tensor], form: str) -> bytes:
    if form == "safetensors":
        return save(state)
    buffer = io.BytesIO()
    torch.save(state, buffer, _use_new_zipfile_serialization=form == "zip")
    return buffer.getvalue()


class _Hub(BaseHTTPRequestHandler):
    """As much of the model hub, or of any web server, as a download asks for."""

    files: dict[str, bytes]
    cut_bytes = 0

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        data = self.files.get(self.path)
        self.send_response(404 if data is None else 200)
        if data is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(data or b"")))
        self.send_header("ETag", f'"{hashlib.sha256(data or b"").hexdigest()}"')
        self.send_header("X-Repo-Commit", "c0ffee")
        self.end_headers()
        if body and data:
            self.wfile.write(data[: len(data) - self.cut_bytes])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Hub]]:
    """A hub on this machine; tests put files into `files`."""
    handler = type("Hub", (_Hub,), {"files": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def mute_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A hub that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield


def assert_unreachable(backbone: str = "resnet18") -> WeightsError:
    patience = Patience(SEARCH_S)
    with pytest.raises(WeightsError) as caught:
        find_weights(backbone, "imagenet")
    assert not patience.is_over()
    return caught.value


class TestFinding:
    def test_weights_in_the_cache_are_used_without_any_network(self, hub: type[_Hub]) -> None:
        hub.files["/timm/resnet18.a1_in1k/resolve/main/model.safetensors"] = save(imagenet_state("resnet18"))
        said: list[str] = []
        first = find_weights("resnet18", "imagenet", on_download=said.append)
        hub.files.clear()
        assert find_weights("resnet18", "imagenet", on_download=said.append) == first
        assert said == ["Downloading the ImageNet weights a1_in1k of resnet18 from 127.0.0.1."]
        assert_features_equal(load("resnet18", first), imagenet_state("resnet18"))

    def test_older_repositories_without_safetensors_are_downloaded_too(self, hub: type[_Hub]) -> None:
        data = _encoded(imagenet_state("resnet18"), "zip")
        hub.files["/timm/resnet18.tv_in1k/resolve/main/pytorch_model.bin"] = data
        path = find_weights("timm:resnet18.tv_in1k", "imagenet")
        assert path.read_bytes() == data
        assert find_weights("timm:resnet18.tv_in1k", "imagenet") == path

    def test_a_repository_that_is_gone_is_a_sentence(self, hub: type[_Hub]) -> None:
        with pytest.raises(WeightsError, match=r"Downloading http://127.*model\.safetensors failed"):
            find_weights("resnet18", "imagenet")

    def test_no_answer_from_the_hub_is_one_sentence_with_every_way_out(self, mute_hub: None) -> None:
        text = str(assert_unreachable())
        for word in (
            "a1_in1k",
            "resnet18",
            "127.0.0.1",
            "model.safetensors",
            "--weights FILE",
            "HF_HOME",
            "HF_ENDPOINT",
            "efficientnetlite0",
        ):
            assert word in text

    def test_a_closed_port_and_an_unknown_name_are_told_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("no_proxy", "*")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        for endpoint in (f"http://127.0.0.1:{port}", "http://hub.invalid"):
            monkeypatch.setenv("HF_ENDPOINT", endpoint)
            assert "cannot be reached" in str(assert_unreachable())

    def test_a_name_server_that_hangs_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        release = threading.Event()

        def hang(*_: object, **__: object) -> None:
            release.wait(60)
            raise OSError

        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setattr(socket, "getaddrinfo", hang)
        assert not download.answers("http://hub.example/x", timeout_s=0.2)
        release.set()

    def test_the_offline_switch_is_obeyed_and_named(
        self, hub: type[_Hub], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert "HF_HUB_OFFLINE" in str(assert_unreachable())

    def test_a_network_without_published_weights_says_so(self) -> None:
        with pytest.raises(WeightsError, match="Nobody has published ImageNet weights for resnet152v2"):
            find_weights("resnet152v2", "imagenet")

    def test_a_file_or_folder_is_used_as_named(self, tmp_path: Path) -> None:
        path = save_torch({}, tmp_path / "resnet18.pth")
        assert find_weights("resnet18", str(path)) == path
        assert find_weights("resnet18", str(tmp_path)) == path


class TestAddresses:
    """Files that are not on the hub; `download.from_url` fetches them."""

    def serve(self, hub: type[_Hub], name: str, data: bytes) -> str:
        hub.files[f"/{name}"] = data
        return f"{os.environ['HF_ENDPOINT']}/{name}"

    def test_a_file_with_the_hash_of_its_name_is_kept(self, hub: type[_Hub], tmp_path: Path) -> None:
        name = f"net-{hashlib.sha256(b'data').hexdigest()[:8]}.pth"
        path = download.from_url(self.serve(hub, name, b"data"), tmp_path / "cache")
        assert path == tmp_path / "cache" / name
        assert path.read_bytes() == b"data"

    def test_a_file_that_was_changed_on_its_way_is_refused(self, hub: type[_Hub], tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match="not the file that was published"):
            download.from_url(self.serve(hub, "net-7e03cead.pth", b"data"), tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_file_that_ends_early_is_refused(self, hub: type[_Hub], tmp_path: Path) -> None:
        hub.cut_bytes = 100
        with pytest.raises(WeightsError, match="failed"):
            download.from_url(self.serve(hub, "net.pth", b"x" * 1000), tmp_path)
        assert not list(tmp_path.iterdir())

    def test_a_missing_file_is_a_sentence(self, hub: type[_Hub], tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"gone\.pth failed: HTTP Error 404"):
            download.from_url(f"{os.environ['HF_ENDPOINT']}/gone.pth", tmp_path)

    def test_find_weights_names_torch_home_for_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(download, "answers", lambda url: False)
        text = str(assert_unreachable("nasnetmobile"))
        assert "nasnetamobile-7e03cead.pth" in text
        assert "TORCH_HOME" in text


class TestTheHeadOfAnEarlierNetwork:
    """Classes of the same names keep what it knows of them."""

    def saved(self, tmp_path: Path, names: list[str]) -> tuple[nn.Module, Path]:
        card = make_card("resnet18", classes=[JobClass(number, name) for number, name in enumerate(names)])
        images = save_pictures(tmp_path / "cells", 3)
        path = save_network(tmp_path / "best.safetensors", card, images)
        return load_model(path)[0], path

    def test_rows_go_by_name_in_any_order_and_others_stay_new(self, tmp_path: Path) -> None:
        before, path = self.saved(tmp_path, ["round", "thin", "dark"])
        model = build_model("resnet18", num_classes=4)
        fresh = model.fc.weight.detach().clone()
        assert take_over_head(model, path, ["dark", "new", " round", "other"]) == ["dark", " round"]
        assert torch.equal(model.fc.weight[[0, 2]], before.fc.weight[[2, 0]])
        assert torch.equal(model.fc.bias[[0, 2]], before.fc.bias[[2, 0]])
        assert torch.equal(model.fc.weight[[1, 3]], fresh[[1, 3]])

    def test_nothing_is_taken_of_unknown_classes_or_files_without_a_card(self, tmp_path: Path) -> None:
        before, path = self.saved(tmp_path, ["round", "thin"])
        model = build_model("resnet18", num_classes=2)
        fresh = model.fc.weight.detach().clone()
        assert take_over_head(model, path, ["a", "b"]) == []
        assert (
            take_over_head(model, save_torch(before.state_dict(), tmp_path / "w.pth"), ["round", "thin"])
            == []
        )
        assert torch.equal(model.fc.weight, fresh)
