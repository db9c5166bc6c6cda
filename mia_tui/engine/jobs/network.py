"""The trained network of a prediction or an evaluation."""

from pathlib import Path

from mia_tui.config.predict import NetworkConfig
from mia_tui.engine.device import describe
from mia_tui.engine.inference.predict import Predictor
from mia_tui.errors import CheckpointError
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.model_card import weights_digest
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import printable


def load_network(attempt: Attempt, config: NetworkConfig, threads: int | None) -> Predictor:
    """Load the network of a job onto its device, and report the start of the attempt.

    Raises:
        CheckpointError: If its file is missing, damaged, or another than when the job was made.
        DeviceError: If the device cannot be used.
    """
    weights = Path(config.weights)
    attempt.phase("loading", f"the network {config.network}")
    network = Predictor(
        weights,
        device=config.device,
        precision=config.precision,
        threads=threads or usable_cores(),
        max_megapixels=config.max_megapixels,
    )
    if config.digest and weights_digest(weights) != config.digest:
        raise CheckpointError(
            f"{printable(weights)} holds other weights than when this job was started.",
            "Start it again with the weights of now.",
        )
    attempt.started(device=describe(network.device))
    if network.warning:
        attempt.warn(f"Computing on the CPU: {network.warning}")
    return network
