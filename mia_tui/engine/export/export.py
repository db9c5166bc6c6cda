"""Writing a trained network as a file for other programs, and comparing it with the program on real images.

Everything is written into a folder with a temporary name beside the one that was asked for, compared there, and only
then gets its name: nothing that is torn or wrong is left behind.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mia_tui.catalog.model_formats import (
    CARD_FILE,
    INT8_FILE,
    MODEL_FORMATS,
    TIMM_CONFIG,
    ModelFormatName,
)
from mia_tui.engine.export import int8, onnx_file, timm_folder, torch_program
from mia_tui.engine.export.checked_images import (
    MOST_COMPARED,
    ComparedImages,
    NotCompared,
    calibration_images,
    images_to_compare,
    read_values,
    usual_input,
)
from mia_tui.engine.export.comparison import (
    MOST_DIFFERENCE,
    NetworkAgreement,
    Probabilities,
    Runner,
    batches_of,
    compare,
    fitting_values,
    prepared_images,
    run_on_images,
)
from mia_tui.engine.export.graph import ExportedNetwork, GraphInput
from mia_tui.engine.export.metadata import Provenance, make_metadata
from mia_tui.engine.export.readme import Evaluation, ReadmeFacts, readme
from mia_tui.engine.export.tracing import trace
from mia_tui.engine.export.writing import copy_file, folder_in_the_making, write_file
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.training.checkpoint import load_model
from mia_tui.errors import ConfigError, MiaError, RunError
from mia_tui.runs.evaluation.confusion import figures, per_class
from mia_tui.runs.evaluation.results import load_results
from mia_tui.runs.list.find import evaluations_beside
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.record.decision import DecisionRule, calibrated, decision_file, read_decision
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import network_name, weights_digest
from mia_tui.text import counted, printable

_INT8_COMPARED = 500
_REPEATS = 5
_OWN_FILES = frozenset(
    {
        *(known.file for known in MODEL_FORMATS.values()),
        INT8_FILE,
        TIMM_CONFIG,
        CARD_FILE,
        "model.decision.json",
    }
)


@dataclass(frozen=True)
class ExportOrder:
    """What to export.

    Attributes:
        weights: The weights file.
        format: Into which format.
        out: The folder to make.
        run: The training of the weights; None for a file by itself.
        dataset: A folder of images to compare on, or where the run's dataset is now; None for the run's own.
        quantise: Whether a file with weights of 8 bits is made as well, of ONNX only.
        dtype: Of the values that the file takes; None for that of most images.
        overwrite: Whether an earlier export of that name is replaced.
        keep: Whether the files are kept even where they do not agree with the program.
        threads: CPU threads.
    """

    weights: Path
    format: ModelFormatName
    out: Path
    run: RunDir | None = None
    dataset: Path | None = None
    quantise: bool = False
    dtype: str | None = None
    overwrite: bool = False
    keep: bool = False
    threads: int = 1


@dataclass(frozen=True)
class Int8Check:
    """What weights of 8 bits cost and give.

    Attributes:
        agreement: With the ONNX file.
        size_bytes: Of the file.
        speed: How many times as fast as the ONNX file, on this machine.
        accuracy: Share of right classes of the ONNX file and of this one; None where the truth is unknown.
    """

    agreement: NetworkAgreement
    size_bytes: int
    speed: float
    accuracy: tuple[float, float] | None


@dataclass(frozen=True)
class NetworkExport:
    """What was written.

    Attributes:
        out: The folder.
        files: Names of the files in it, with their sizes.
        takes: What the file takes; None for only the network.
        input_words: The same in words.
        agreement: With the program.
        left_out: A sentence on images that were not compared; empty for none.
        part: Part of the data that they are of; empty where unknown.
        int8: None if there is no such file.
    """

    out: Path
    files: dict[str, int]
    takes: GraphInput | None
    input_words: str
    agreement: NetworkAgreement
    left_out: str
    part: str
    int8: Int8Check | None = None


def export_network(order: ExportOrder, *, say: Callable[[str], None] = lambda text: None) -> NetworkExport:
    """Write a network as a file, and compare it.

    Args:
        order: What to export.
        say: Called with what is being done.

    Raises:
        ConfigError: If it cannot be exported so, the folder is there already, or there is no image to compare on.
        RunError: If the file does not agree with the program; nothing is left behind, unless it should be kept.
        MiaError: If the weights cannot be read, or the disk does not take the files.
    """
    if order.format == "onnx":
        onnx_file.check_installed()
    _check_out(order)
    with folder_in_the_making(order.out, overwrite=order.overwrite) as folder:
        return _Export(order, folder, say).result()


class _Export:
    """One export, into a folder.

    Args:
        order: What to export.
        folder: Where to write.
        say: Called with what is being done.
    """

    def __init__(self, order: ExportOrder, folder: Path, say: Callable[[str], None]) -> None:
        self._order, self._folder, self._say = order, folder, say
        self._left_out = NotCompared()
        self._network, self._card = load_model(order.weights, plain=True)
        self._digest = weights_digest(order.weights)
        found = read_decision(order.weights, digest=self._digest)
        self._rule = DecisionRule() if found is None else found
        self._file = folder / MODEL_FORMATS[order.format].file

    def result(self) -> NetworkExport:
        order, card = self._order, self._card
        if order.format == "timm":
            timm_folder.check_known_to_timm(self._network, card)
        every = images_to_compare(order.run, card, order.dataset)
        images = every.spread(MOST_COMPARED)
        self._say(f"Asking the network about {counted(len(images.keys), 'image')}.")
        expected = self._program_says(images)
        takes = None
        if order.format != "timm":
            takes = usual_input(read_values(images, card, NotCompared()), card, order.dtype)
        metadata = make_metadata(card, takes, self._rule, self._provenance())
        self._say(f"Writing {self._file.name}.")
        agreement = self._write(takes, metadata, images, expected)
        self._refuse_difference(agreement)
        int8_check = self._quantise(takes, every) if order.quantise and takes is not None else None
        self._write_readme(takes, agreement, int8_check)
        self._refuse_new_weights()
        return NetworkExport(
            out=order.out,
            files={path.name: path.stat().st_size for path in sorted(self._folder.iterdir())},
            takes=takes,
            input_words=metadata["input"],
            agreement=agreement,
            left_out=self._left_out.sentence,
            part=images.part,
            int8=int8_check,
        )

    # The program

    def _program_says(self, images: ComparedImages) -> Probabilities:
        """Probabilities of the program, shape (n, C); NaN for an image that cannot be read."""
        order = self._order
        network = Predictor(order.weights, device="cpu", precision="fp32", threads=order.threads)
        said = np.full((len(images.keys), len(self._card.classes)), np.nan, np.float32)
        for row, one in enumerate(
            network.predict(images.root, images.keys, batch_size=16, numbering=images.numbering)
        ):
            if one.probabilities is not None:
                said[row] = one.probabilities
        read = np.isfinite(said).all(axis=1)
        if not read.any():
            raise ConfigError(
                "None of the images can be read on which the file would be compared with the network.",
                "Name a folder of other images with --dataset.",
            )
        said[read] = calibrated(said[read], self._rule.temperature)
        return said

    # The file

    def _write(
        self,
        takes: GraphInput | None,
        metadata: dict[str, Any],
        images: ComparedImages,
        expected: Probabilities,
    ) -> NetworkAgreement:
        if takes is None:
            self._write_timm(metadata)
            self._say("Comparing it with the network.")
            return self._compare_timm(images, expected)
        network = ExportedNetwork(self._network, self._card, takes, temperature=self._rule.temperature)
        program = trace(network, self._card, takes)
        make = onnx_file.onnx_bytes if self._order.format == "onnx" else torch_program.torch_bytes
        write_file(self._file, make(program, metadata))
        self._say("Comparing it with the network.")
        rows, said = run_on_images(self._runner(self._file), images, self._card, takes, self._left_out)
        return compare(expected[rows], said)

    def _runner(self, file: Path) -> Runner:
        if self._order.format == "onnx":
            return onnx_file.OnnxNetwork(file, threads=self._order.threads).run
        return torch_program.TorchProgram(file).run

    def _write_timm(self, metadata: dict[str, Any]) -> None:
        """The weights as they are, so that mia-tui opens them, too, and what timm has to know of them."""
        copy_file(self._order.weights, self._file)
        decision = decision_file(self._order.weights)
        if decision.is_file():
            copy_file(decision, decision_file(self._file))
        config = timm_folder.timm_config(self._network, self._card, metadata)
        write_file(self._folder / TIMM_CONFIG, config)

    def _compare_timm(self, images: ComparedImages, expected: Probabilities) -> NetworkAgreement:
        """The network as timm makes it, on images prepared by the program."""
        network = timm_folder.TimmNetwork(self._folder, temperature=self._rule.temperature)
        rows: list[int] = []
        said: list[Probabilities] = []
        for positions, prepared in prepared_images(images, self._card, threads=self._order.threads):
            rows += positions
            said.append(network.run(prepared))
        return compare(expected[rows], np.concatenate(said))

    def _refuse_difference(self, agreement: NetworkAgreement) -> None:
        if not agreement.images:
            raise ConfigError(
                f"None of the images could be compared. {self._left_out.sentence}",
                "Name a folder of other images with --dataset.",
            )
        if not agreement.is_close and not self._order.keep:
            raise RunError(
                f"The file does not say the same as the network: of {counted(agreement.images, 'image')} "
                f"{agreement.same_class:,} get the same class, and a probability differs by "
                f"{agreement.difference:.2g}, more than {MOST_DIFFERENCE:g}.",
                "Nothing was left behind; --keep writes it nevertheless.",
            )

    def _refuse_new_weights(self) -> None:
        if weights_digest(self._order.weights) != self._digest:
            raise RunError(
                f"{printable(self._order.weights)} was replaced meanwhile, by a better epoch of its training.",
                "Export it again.",
            )

    # Eight bits

    def _quantise(self, takes: GraphInput, every: ComparedImages) -> Int8Check:
        order, card = self._order, self._card
        target = self._folder / INT8_FILE
        self._say(f"Writing {INT8_FILE}.")
        measured = calibration_images(order.run, order.dataset, every).spread(int8.MOST_CALIBRATED)
        values = fitting_values(measured, card, takes, NotCompared())
        int8.quantise(self._file, target, values)
        images = every.spread(_INT8_COMPARED)
        self._say(f"Comparing both on {counted(len(images.keys), 'image')}.")
        exact, small = self._runner(self._file), self._runner(target)
        rows, before = run_on_images(exact, images, card, takes, NotCompared())
        _, after = run_on_images(small, images, card, takes, NotCompared())
        accuracy = None
        if images.truth is not None:
            truth = images.truth[rows]
            accuracy = _accuracy(before, truth), _accuracy(after, truth)
        some = next(batches_of(fitting_values(images, card, takes, NotCompared())))
        batch = np.stack([one.values for one in some])
        speed = _seconds(exact, batch, some[0].pixel_um) / _seconds(small, batch, some[0].pixel_um)
        return Int8Check(compare(before, after), target.stat().st_size, speed, accuracy)

    # The card

    def _provenance(self) -> Provenance:
        dataset = ""
        if self._order.run is not None:
            with suppress(MiaError):
                dataset = Path(current_job(self._order.run, self._order.dataset).dataset).name
        return Provenance(printable(dataset), self._digest, time.time())

    def _write_readme(
        self, takes: GraphInput | None, agreement: NetworkAgreement, int8_check: Int8Check | None
    ) -> None:
        order = self._order
        text = readme(
            ReadmeFacts(
                name=network_name(order.weights),
                format=order.format,
                file=self._file.name,
                card=self._card,
                takes=takes,
                rule=self._rule,
                provenance=self._provenance(),
                evaluation=known_results(order.run, order.weights, order.dataset),
                agreement=agreement,
                int8=None if int8_check is None else int8_check.agreement,
                samples=_samples(order.run),
            )
        )
        write_file(self._folder / CARD_FILE, text.encode("utf-8", "backslashreplace"))


def known_results(run: RunDir | None, weights: Path, dataset: Path | None) -> Evaluation | None:
    """The results for the model card: of the newest evaluation of the test part, else of the run itself.

    Args:
        run: The training, or an evaluation; None where it is not at hand.
        weights: Its weights.
        dataset: As for `load_results`.

    Returns:
        None where there are no results.
    """
    if run is None:
        return None
    results = None
    with suppress(MiaError):
        results = load_results(run, dataset=dataset)
    for other in reversed(evaluations_beside(run, weights_digest(weights))):
        with suppress(MiaError):
            found = load_results(other, dataset=dataset)
            is_own = results is None or found.dataset.resolve() == results.dataset.resolve()
            if found.split == "test" and is_own and not other.evaluate_job().config.trained_on:
                results = found
                break
    if results is None:
        return None
    counts = results.confusion
    rows = tuple(per_class(counts, results.classes))
    return Evaluation(results.split, len(results.keys), figures(counts), rows)


def _samples(run: RunDir | None) -> dict[str, int]:
    if run is None:
        return {}
    counts: dict[str, int] = {}
    with suppress(MiaError):
        for sample in run.samples():
            counts[sample.split] = counts.get(sample.split, 0) + 1
    return counts


def _accuracy(said: Probabilities, truth: npt.NDArray[np.int64]) -> float:
    return float((said.argmax(axis=1) == truth).mean()) if len(said) else float("nan")


def _seconds(runner: Runner, batch: npt.NDArray[np.generic], pixel_um: tuple[float, float] | None) -> float:
    """The shortest time of a batch, which the load of the machine disturbs least."""
    runner(batch, pixel_um)
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        runner(batch, pixel_um)
        times.append(time.perf_counter() - start)
    return min(times)


def _check_out(order: ExportOrder) -> None:
    """Refuse a folder that is there, before minutes of work."""
    out = order.out
    if out.suffix in (".onnx", ".pt2", ".safetensors", ".pt", ".pth"):
        raise ConfigError(
            f"--out is a folder, in which {MODEL_FORMATS[order.format].file} and {CARD_FILE} are made.",
            f"Name it without {out.suffix}.",
        )
    try:
        names = {path.name for path in out.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(
            f"{printable(out)} cannot be used: {error.strerror}.", "Name another --out."
        ) from error
    if names - _OWN_FILES:
        raise ConfigError(
            f"{printable(out)} holds {printable(min(names - _OWN_FILES))}, which is no part of an exported network.",
            "Name another folder with --out.",
        )
    if names and not order.overwrite:
        raise ConfigError(f"{printable(out)} holds an exported network.", "--overwrite replaces it.")
