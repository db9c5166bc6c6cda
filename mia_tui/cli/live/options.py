"""The options of the commands that learn from the labels of now."""

import click

from mia_tui.cli.shared.options import Function, Option, device_option, field_option, state_options


def live_options(function: Function) -> Function:
    """--labels, --network, --device, --state and --annotator; the first three arrive as `**how` of `read_live`."""
    network = click.option(
        "--network",
        cls=Option,
        metavar="RUN",
        help="Use features of a trained network: a run's folder or name, best, last, or a weights file. By default "
        "efficientnetlite0, which comes with the program.",
    )
    device = device_option("Where missing features are made: auto, cpu, cuda, cuda:N or mps.")
    return field_option("labels")(network(device(state_options(function))))
