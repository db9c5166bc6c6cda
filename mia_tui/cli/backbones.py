"""`mia-tui backbones`: the networks to choose from."""

import click

from mia_tui.catalog.backbones import BACKBONES, Backbone
from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import Command, json_option
from mia_tui.config.weights_cache import weights_here

_COLUMNS = ("backbone", "million params", "GMACs", "input px", "min px", "top-1 %", "weights")


@click.command("backbones", cls=Command)
@json_option
def command(as_json: bool) -> None:
    """List the networks to choose from.

    Parameters are counted without the head. GMACs are billions of multiply-adds for one image of the input
    size, which is the size the ImageNet weights were trained at; top-1 is their accuracy on ImageNet. Any other
    model of timm can be used as timm:NAME.
    """
    report = Report(as_json=as_json)
    if as_json:
        for row in BACKBONES.values():
            report.record(_record(row))
        return
    report.table(_COLUMNS, [_row(row) for row in BACKBONES.values()])
    report.say()
    report.say("Weights: here (on this disk), to fetch (from the internet), – (none published).")


def _record(row: Backbone) -> dict[str, object]:
    return {
        "name": row.name,
        "timm": row.timm,
        "params": row.params,
        "input_size": row.input_size,
        "min_size": row.min_size,
        "gmacs": row.gmacs,
        "weights": row.tag,
        "licence": row.licence,
        "weights_here": weights_here(row.name),
    }


def _row(row: Backbone) -> tuple[object, ...]:
    weights = None if row.tag is None else "here" if weights_here(row.name) else "to fetch"
    top1 = None if row.top1 is None else f"{row.top1:.1f}"
    return (
        row.name,
        f"{row.params / 1e6:.1f}",
        f"{row.gmacs:.2f}",
        row.input_size,
        row.min_size,
        top1,
        weights,
    )
