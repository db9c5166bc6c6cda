"""An ONNX network with weights and activations of 8 bits: a quarter of the size, and faster where the processor has
instructions for it (VNNI, AMX, or those of ARM).

The ranges of activations are measured on images (static quantisation, onnxruntime), those of weights for each channel
of a layer by itself. What comes before the first layer, that layer, the last one, and the softmax stay as exact as
they were: they cost little and matter most.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mia_tui.engine.export.checked_images import FileValues
from mia_tui.engine.export.comparison import batches_of
from mia_tui.engine.export.onnx_file import PRODUCER
from mia_tui.engine.export.tracing import IMAGES, PIXEL_UM, quiet
from mia_tui.engine.export.writing import write_file
from mia_tui.files import remove

MOST_CALIBRATED = 100
"""Images that ranges are measured on; more change nothing that could be seen, and take memory."""


def quantise(source: Path, target: Path, images: Iterable[FileValues]) -> None:
    """Write a copy of an ONNX file with 8 bits.

    Args:
        source: The file, from `onnx_file.onnx_bytes`.
        target: Where to write.
        images: To measure ranges on, of the kind that the file takes.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = target.with_suffix(".prepared.onnx")
    with quiet():
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(str(prepared))
        quantize_static(
            str(prepared),
            str(target),
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_kept_exact(model.graph),
        )
    remove(prepared)
    _tidy(target, model)


def _tidy(path: Path, before: Any) -> None:
    """Keep only what the file needs: onnxruntime adds the names of all operators that it knows."""
    import onnx

    model = onnx.load(str(path))
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    entries = [entry for entry in before.metadata_props if not entry.key.startswith("onnx.")]
    del model.metadata_props[:]
    model.metadata_props.extend(entries)
    model.producer_name = PRODUCER
    write_file(path, model.SerializeToString())


def _kept_exact(graph: Any) -> list[str]:
    """Names of the nodes up to the first convolution, and from the last layer with weights on."""
    weights = {tensor.name for tensor in graph.initializer}
    made_by = {output: number for number, node in enumerate(graph.node) for output in node.output}
    layers = [
        number
        for number, node in enumerate(graph.node)
        if node.op_type in ("Conv", "Gemm", "MatMul") and any(name in weights for name in node.input[1:])
    ]
    convolutions = [number for number in layers if graph.node[number].op_type == "Conv"]
    first, last = (convolutions or layers)[0], layers[-1]
    before: set[int] = set()
    waiting = [made_by[name] for name in graph.node[first].input if name in made_by]
    while waiting:
        number = waiting.pop()
        if number not in before:
            before.add(number)
            waiting += [made_by[name] for name in graph.node[number].input if name in made_by]
    return [
        node.name
        for number, node in enumerate(graph.node)
        if number in before or number == first or number >= last
    ]


class _Reader:
    """Gives batches to the calibration of onnxruntime, which asks by `get_next` until there is None."""

    def __init__(self, images: Iterable[FileValues]) -> None:
        self._batches: Iterator[list[FileValues]] = batches_of(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        inputs: dict[str, np.ndarray] = {IMAGES: np.stack([one.values for one in batch])}
        if batch[0].pixel_um is not None:
            inputs[PIXEL_UM] = np.array(batch[0].pixel_um, np.float64)
        return inputs

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        while (inputs := self.get_next()) is not None:
            yield inputs
