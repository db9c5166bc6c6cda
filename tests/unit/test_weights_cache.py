"""Where weights lie on this disk; no torch, no network."""

from pathlib import Path

import pytest

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.config.weights_cache import (
    cached_weights,
    given_weights,
    hub_cache,
    hub_file,
    torch_cache,
    weights_here,
)
from mia_tui.errors import WeightsError

RESNET = "timm/resnet18.a1_in1k"


def put_in_hub(cache: Path, repo: str, *, commit: str = "abc", name: str = "model.safetensors") -> Path:
    folder = cache / f"models--{repo.replace('/', '--')}"
    file = folder / "snapshots" / commit / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return file


@pytest.fixture(autouse=True)
def no_cache_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_the_caches_are_where_the_libraries_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub_cache() == tmp_path / ".cache/huggingface/hub"
    assert torch_cache() == tmp_path / ".cache/torch/hub/checkpoints"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert hub_cache() == tmp_path / "xdg/huggingface/hub"
    assert torch_cache() == tmp_path / "xdg/torch/hub/checkpoints"
    monkeypatch.setenv("HF_HOME", "~/hf")
    monkeypatch.setenv("TORCH_HOME", "$HOME/torch")
    assert hub_cache() == tmp_path / "hf/hub"
    assert torch_cache() == tmp_path / "torch/hub/checkpoints"
    monkeypatch.setenv("HUGGINGFACE_HUB_CACHE", str(tmp_path / "older"))
    assert hub_cache() == tmp_path / "older"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "named"))
    assert hub_cache() == tmp_path / "named"


def test_weights_of_the_hub_are_here_once_a_snapshot_holds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert not weights_here("resnet18")
    file = put_in_hub(tmp_path, RESNET)
    assert weights_here("resnet18")
    assert cached_weights(BACKBONES["resnet18"]) == file
    assert not weights_here("resnet34")


def test_the_snapshot_of_main_comes_first_and_another_will_do(tmp_path: Path) -> None:
    old = put_in_hub(tmp_path, RESNET, commit="aaa")
    new = put_in_hub(tmp_path, RESNET, commit="bbb", name="pytorch_model.bin")
    assert hub_file(RESNET, tmp_path) == new
    new.unlink()
    assert hub_file(RESNET, tmp_path) == old


def test_a_download_that_was_broken_off_is_not_here(tmp_path: Path) -> None:
    folder = tmp_path / "models--timm--resnet18.a1_in1k"
    (folder / "blobs").mkdir(parents=True)
    (folder / "blobs" / "1234.incomplete").write_bytes(b"half")
    assert hub_file(RESNET, tmp_path) is None
    put_in_hub(tmp_path, RESNET).unlink()
    assert hub_file(RESNET, tmp_path) is None


def test_weights_from_an_address_are_in_the_cache_of_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert not weights_here("nasnetmobile")
    file = tmp_path / "hub" / "checkpoints" / "nasnetamobile-7e03cead.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert weights_here("nasnetmobile")
    assert not weights_here("xception")


def test_a_network_without_published_weights_or_an_unknown_one_is_never_here(tmp_path: Path) -> None:
    assert not weights_here("resnet152v2")
    assert not weights_here("resnet19")


def test_other_timm_models_are_looked_up_by_their_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    put_in_hub(tmp_path, "timm/resnet10t.c3_in1k")
    assert weights_here("timm:resnet10t.c3_in1k")
    assert not weights_here("timm:resnet10t")


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "anything.bin"
    file.write_bytes(b"")
    assert given_weights("resnet18", str(file)) == file


@pytest.mark.parametrize(
    "name",
    [
        "best.safetensors",
        "model.safetensors",
        "pytorch_model.bin",
        "resnet18.pth",
        "ResNet18-f37072fd.pth",
        "resnet18.a1_in1k.safetensors",
        "resnet18_a1_0-d63eafa0.pth.tar",
    ],
)
def test_in_a_folder_the_file_for_the_backbone_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "resnet180.pth").write_bytes(b"")
    (tmp_path / "seresnet18.pth").write_bytes(b"")
    (tmp_path / "resnet18.txt").write_bytes(b"")
    assert given_weights("resnet18", str(tmp_path)) == tmp_path / name


def test_files_may_carry_the_name_of_timm_or_of_the_download(tmp_path: Path) -> None:
    (tmp_path / "resnetv2_50.pth").write_bytes(b"")
    (tmp_path / "se_resnet50-ce0d4300.pth").write_bytes(b"")
    assert given_weights("resnet50v2", str(tmp_path)).name == "resnetv2_50.pth"
    assert given_weights("seresnet50", str(tmp_path)).name == "se_resnet50-ce0d4300.pth"


@pytest.mark.parametrize("inside", ["", "hub"])
def test_a_folder_may_be_a_copy_of_a_hub_cache(tmp_path: Path, inside: str) -> None:
    file = put_in_hub(tmp_path / inside, RESNET)
    assert given_weights("resnet18", str(tmp_path)) == file


def test_several_files_that_fit_are_refused_by_name(tmp_path: Path) -> None:
    for name in ("resnet18-a.pth", "resnet18-b.pth"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(WeightsError, match=r"resnet18-a\.pth, resnet18-b\.pth"):
        given_weights("resnet18", str(tmp_path))


def test_a_folder_without_weights_and_a_missing_path_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no weights for resnet18"):
        given_weights("resnet18", str(tmp_path))
    with pytest.raises(WeightsError, match=r"no weights at .*imagenot") as caught:
        given_weights("resnet18", str(tmp_path / "imagenot"))
    assert "none, imagenet, or a file or folder" in str(caught.value)


@pytest.mark.parametrize(
    ("word", "meant"), [("imagenett", "imagenet"), ("ImageNet", "imagenet"), ("nome", "none")]
)
def test_a_slip_in_the_word_for_weights_is_answered_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, meant: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=rf"Did you mean {meant}\?"):
        given_weights("resnet18", word)
