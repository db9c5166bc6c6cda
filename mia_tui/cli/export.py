"""`mia-tui export`: a trained network as a file for other programs."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.catalog.model_formats import MODEL_FORMATS
from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.network import find_network
from mia_tui.cli.shared.options import Command, Option, json_option, path_option, run_argument, state_option
from mia_tui.errors import ConfigError
from mia_tui.text import counted, join_names, percent, printable, size_words

if TYPE_CHECKING:
    from mia_tui.engine.export.export import Int8Check, NetworkExport

_DTYPES = ("uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")


@click.command("export", cls=Command)
@run_argument
@click.option(
    "--format",
    "format_name",
    cls=Option,
    type=click.Choice(list(MODEL_FORMATS), case_sensitive=False),
    required=True,
    help="; ".join(f"{name}: {known.words}" for name, known in MODEL_FORMATS.items()) + ".",
)
@path_option(
    "--out", "Folder to make for the file and its model card; by default one here, named after the run."
)
@path_option(
    "--dataset",
    "Images on which the file is compared with the network, and the dataset in which RUN is looked up; by default "
    "those that the run was evaluated on.",
)
@click.option(
    "--quantize",
    cls=Option,
    type=click.Choice(["int8"], case_sensitive=False),
    help="With onnx: make a second file with weights of 8 bits, smaller and often faster, and say what it costs.",
)
@click.option(
    "--dtype",
    cls=Option,
    type=click.Choice(_DTYPES, case_sensitive=False),
    help="Type of the values that the file takes; by default that of most images.",
)
@click.option("--overwrite", cls=Option, is_flag=True, help="Replace an earlier export in that folder.")
@click.option(
    "--keep", cls=Option, is_flag=True, help="Keep the file even if it does not say the same as the network."
)
@click.option(
    "--threads",
    cls=Option,
    type=click.IntRange(min=1, max=4096),
    help="CPU threads; by default the cores that are free.",
)
@json_option
@state_option
def command(
    run: str,
    format_name: str,
    out: Path | None,
    dataset: Path | None,
    quantize: str | None,
    dtype: str | None,
    overwrite: bool,
    keep: bool,
    threads: int | None,
    as_json: bool,
    state: Path | None,
) -> int:
    """Write the network of RUN as a file that other programs open.

    RUN is a training's folder or name, best or last, or a weights file. In an onnx or torch file everything from the
    values of an image file to the probabilities is inside: brightness, size, scaling, temperature. After that the
    file and the network are asked about up to 100 images, and the largest difference of a probability is printed.
    A model card, README.md, is made beside it.
    """
    from mia_tui.runs.machine.cores import usable_cores

    report = Report(as_json=as_json)
    if quantize is not None and format_name != "onnx":
        raise ConfigError("--quantize is for ONNX.", "Add --format onnx, or leave --quantize out.")
    if dtype is not None and format_name == "timm":
        raise ConfigError(
            "--dtype is for files that take the values of images.", "With --format timm leave it out."
        )
    training, weights = find_network(run, dataset, state)
    folder = out or Path(_folder_name(training.name if training else weights.stem, format_name))
    from mia_tui.engine.export.export import ExportOrder, export_network

    result = export_network(
        ExportOrder(
            weights=weights,
            format=format_name,  # type: ignore[arg-type]
            out=folder,
            run=training,
            dataset=dataset,
            quantise=quantize is not None,
            dtype=dtype,
            overwrite=overwrite,
            keep=keep,
            threads=threads or usable_cores(),
        ),
        say=report.note,
    )
    _tell(report, result)
    return 0


def _folder_name(network: str, format_name: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', network)}-{format_name}"


def _tell(report: Report, result: "NetworkExport") -> None:
    files = join_names([f"{printable(name)} ({size_words(size)})" for name, size in result.files.items()])
    report.say(f"Written to {printable(result.out)}: {files}.")
    report.say(f"It takes {result.input_words}")
    report.say(_agreement_words(result))
    if result.left_out:
        report.warn(result.left_out)
    if result.int8 is not None:
        report.say(_int8_words(result.int8))
    report.record(_record(result))


def _agreement_words(result: "NetworkExport") -> str:
    agreement, part = result.agreement, f" of the part {result.part}" if result.part else ""
    same = "all" if agreement.same_class == agreement.images else f"{agreement.same_class:,}"
    return (
        f"Compared with the network on {counted(agreement.images, 'image')}{part}: the same class on {same}, the "
        f"largest difference of a probability is {agreement.difference:.1e}."
    )


def _int8_words(check: "Int8Check") -> str:
    agreement = check.agreement
    accuracy = ""
    if check.accuracy is not None:
        before, after = check.accuracy
        accuracy = f" Accuracy {percent(before)} before and {percent(after)} after."
    return (
        f"With 8 bits: {size_words(check.size_bytes)}, {check.speed:.1f} times as fast here; compared with the other "
        f"file the same class on {agreement.same_class:,} of {counted(agreement.images, 'image')}, the largest "
        f"difference of a probability is {agreement.difference:.2g}.{accuracy}"
    )


def _record(result: "NetworkExport") -> dict[str, object]:
    check, takes = result.int8, result.takes
    return {
        "type": "export",
        "out": str(result.out),
        "files": result.files,
        "input": result.input_words,
        "dtype": None if takes is None else takes.dtype,
        "channels": None if takes is None else takes.channels,
        "compared": result.agreement.images,
        "same_class": result.agreement.same_class,
        "largest_difference": result.agreement.difference,
        "left_out": result.left_out or None,
        "int8": None
        if check is None
        else {
            "bytes": check.size_bytes,
            "speed": check.speed,
            "compared": check.agreement.images,
            "same_class": check.agreement.same_class,
            "largest_difference": check.agreement.difference,
            "accuracy": check.accuracy,
        },
    }
