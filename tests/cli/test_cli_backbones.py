"""`mia-tui backbones`."""

import json

import pytest
from cli_support import Mia

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.config import weights_cache

KEYS = ["name", "timm", "params", "input_size", "min_size", "gmacs", "weights", "licence", "weights_here"]


def test_every_backbone_is_an_object_with_the_agreed_keys(mia: Mia) -> None:
    decoding = [json.loads(line) for line in mia("backbones", "--json").out.splitlines()]
    assert [record["name"] for record in decoding] == list(BACKBONES)
    for record in decoding:
        assert list(record) == KEYS
        row = BACKBONES[record["name"]]
        assert (record["params"], record["weights"]) == (row.params, row.tag)
        assert record["weights_here"] is (row.name == "efficientnetlite0")


def test_the_table_has_a_line_for_every_backbone_and_fits_a_terminal(mia: Mia) -> None:
    lines = mia("backbones").out.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(BACKBONES)]] == list(BACKBONES)
    assert max(map(len, lines)) <= 80


def test_a_backbone_without_weights_shows_none(mia: Mia) -> None:
    lines = {line.split()[0]: line for line in mia("backbones").out.splitlines() if line}
    assert lines["resnet152v2"].endswith("–")
    assert lines["resnet18"].endswith("to fetch")


def test_weights_on_this_disk_are_reported(mia: Mia, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = weights_cache.hub_cache() / "models--timm--resnet18.a1_in1k" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    lines = {line.split()[0]: line for line in mia("backbones").out.splitlines() if line}
    assert lines["resnet18"].endswith("here")
    assert lines["resnet34"].endswith("to fetch")
