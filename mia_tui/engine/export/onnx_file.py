"""A network as an ONNX file, and running one with onnxruntime. Both packages are the extra `[onnx]`."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram

from mia_tui.catalog.model_formats import ONNX_INSTALL
from mia_tui.engine.export.tracing import IMAGES, PIXEL_UM, PROBABILITIES, SIZES, quiet
from mia_tui.errors import CheckpointError, ConfigError
from mia_tui.files import open_to_read
from mia_tui.text import join_names, printable

OPSET = 20
"""Of ONNX, of November 2023: onnxruntime has known it since 1.17."""

PRODUCER = "mia-tui"

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_installed(packages: tuple[str, ...] = _PACKAGES) -> None:
    """Refuse to begin without the packages.

    Raises:
        ConfigError: If one is missing.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"For ONNX {join_names(missing)} {are} missing here.",
            f"`{ONNX_INSTALL}` installs what is needed.",
        )


def onnx_bytes(program: ExportedProgram, metadata: Mapping[str, Any]) -> bytes:
    """The content of an ONNX file.

    Args:
        program: From `tracing.trace`.
        metadata: Values of the file's metadata: strings as they are, others as JSON.
    """
    with quiet(), torch.no_grad():
        exported = torch.onnx.export(
            program,
            dynamo=True,
            optimize=True,
            verbose=False,
            opset_version=OPSET,
            input_names=_input_names(program),
            output_names=[PROBABILITIES],
        )
    assert exported is not None
    model = exported.model_proto
    _name_sizes(model)
    _forget_places(model)
    model.producer_name = PRODUCER
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        model.metadata_props.add(key=key, value=text)
    content: bytes = model.SerializeToString()
    return content


class OnnxNetwork:
    """Runs an ONNX file of ours on the CPU.

    Args:
        path: The file.
        threads: CPU threads; None for all.

    Attributes:
        metadata: As `onnx_bytes` was given it, values as text.

    Raises:
        CheckpointError: If it is no such file.
        ConfigError: If onnxruntime is not installed.
    """

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        check_installed(("onnxruntime",))
        import onnxruntime

        try:
            with open_to_read(path, follow=True) as file:
                content = file.read()
        except OSError as error:
            raise CheckpointError(
                f"{printable(path)} cannot be read: {error.strerror}.", "Check its name."
            ) from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors: warnings are about its own optimisation
        options.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no class in common but this one
            raise CheckpointError(
                f"{printable(path)} is no ONNX file that onnxruntime can open.", "Export the network again."
            ) from error
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(
        self, images: npt.NDArray[np.generic], pixel_um: tuple[float, float] | None = None
    ) -> npt.NDArray[np.float32]:
        """Probabilities, shape (N, C); see `comparison.Runner`."""
        inputs: dict[str, npt.NDArray[np.generic]] = {IMAGES: images}
        if pixel_um is not None:
            inputs[PIXEL_UM] = np.array(pixel_um, np.float64)
        found: npt.NDArray[np.float32] = self._session.run([PROBABILITIES], inputs)[0]
        return found


def _input_names(program: ExportedProgram) -> list[str]:
    return [IMAGES, PIXEL_UM][: len(program.graph_signature.user_inputs)]


def _name_sizes(model: Any) -> None:
    """Call the lengths that may differ by their names, not s34."""
    names: dict[str, str] = {}
    for dimension, name in zip(model.graph.input[0].type.tensor_type.shape.dim, SIZES, strict=False):
        if dimension.dim_param:
            names[dimension.dim_param] = name
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_param = names[dimension.dim_param]


def _forget_places(model: Any) -> None:
    """Drop what tells from which lines of which files on this machine each node was made."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
    del model.graph.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
