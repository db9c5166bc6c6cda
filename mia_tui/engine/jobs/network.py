"""The trained network of a prediction or an evaluation, or the networks that answer together."""

from collections.abc import Iterable
from pathlib import Path

from mia_tui.config.predict import NetworkConfig
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.engine.device import describe_all
from mia_tui.engine.inference.ensemble import AnyPredictor, joint_predictor
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.errors import CheckpointError
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.input_words import other_types_sentence
from mia_tui.runs.record.model_card import read_card, weights_digest
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import printable


def load_network(
    attempt: Attempt, config: NetworkConfig, threads: int | None, ranks: Ranks
) -> tuple[AnyPredictor, str]:
    """Load the network of a job, or its networks, the same in all processes, and report the start of the attempt.

    Returns:
        The network, and the digest of its weights; of several that of the settings, which names all of them.

    Raises:
        CheckpointError: If its file is missing, damaged, or another than when the job was made.
        DeviceError: If the device cannot be used.
    """
    networks = "networks" if config.ensemble else "network"
    attempt.phase("loading", f"the {networks} {config.network}")
    network: AnyPredictor
    if config.ensemble:
        loaded = [
            _load(Path(member.weights), member.digest, config, threads, ranks)[0]
            for member in config.ensemble
        ]
        network = joint_predictor(loaded, [member.temperature for member in config.ensemble])
        digest = config.digest or "+".join(weights_digest(Path(each.weights)) for each in config.ensemble)
    else:
        network, digest = _load(Path(config.weights), config.digest, config, threads, ranks)
    attempt.started(device=describe_all(network.device, ranks.count), arithmetic=network.arithmetic)
    if network.warning:
        attempt.warn(f"Computing on the CPU: {network.warning}")
    return network, digest


def _load(
    weights: Path, wanted: str, config: NetworkConfig, threads: int | None, ranks: Ranks
) -> tuple[Predictor, str]:
    """One network and the digest of its weights; `wanted` is what that must be, empty for any."""
    read_card(weights)  # first: says what is wrong with the file
    while True:
        digest = weights_digest(weights)
        network = Predictor(
            weights,
            device=config.device,
            precision=config.precision,
            threads=threads or usable_cores(),
            max_megapixels=config.max_megapixels,
        )
        digests = {digest, weights_digest(weights)}
        if (
            len(set[str]().union(*ranks.gather(digests))) == 1
        ):  # else a training has replaced the file meanwhile
            break
    if wanted and digest != wanted:
        raise CheckpointError(
            f"{printable(weights)} holds other weights than when this job was started.",
            "Start it again with the weights of now.",
        )
    return network, digest


def warn_of_other_types(attempt: Attempt, network: AnyPredictor) -> str:
    """Warn once of images of another type than the network was trained on; returns the sentence, empty for none."""
    sentence = other_types_sentence(network.other_types, network.card.input_map)
    if sentence:
        attempt.warn(sentence, "Convert the files, or train a network on such files, too.")
    return sentence


def warn_of_other_stacks(attempt: Attempt, network: AnyPredictor, frames: Iterable[int]) -> None:
    """Warn if a network that was trained on whole stacks is given single frames of stacks, or the reverse.

    Args:
        attempt: Tells it.
        network: The network.
        frames: The number of the frame of each image.
    """
    if network.card.stacks == "whole":
        count = sum(frame > 0 for frame in frames)  # the first frame of a stack cannot be told from a picture
        if count:
            attempt.warn(
                "Stacks are given frame by frame to a network that was trained on whole ones "
                f"({network.card.stack}).",
                "`mia-tui labels stacks FOLDER whole` gives it whole ones, too.",
            )
    elif count := sum(frame == WHOLE_STACK for frame in frames):
        are = "stack is" if count == 1 else "stacks are"
        attempt.warn(
            f"{count:,} {are} given as a whole to a network that was trained on single images.",
            "`mia-tui labels stacks FOLDER frames` gives it frame by frame.",
        )
