"""Where the network looks in images of a gallery: asked of the process with torch that tells it the app, too."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mia_tui.dataset.images.screen.heat import HeatMap
from mia_tui.dataset.model import ImageKey
from mia_tui.runs.prediction.one_image import (
    IMAGE_PREDICTOR_MODULE,
    ImageQuestion,
    decode_answer,
    encode_question,
)
from mia_tui.runs.worker.launch import program_environment

MOST_EXPLAINED = 120
"""Images of a report; resnet18 takes some 50 ms for each at 224 pixels."""

_LONGEST_ANSWER_BYTES = 1 << 26


def where_it_looks(
    weights: Path, root: Path, images: Sequence[tuple[ImageKey, str]]
) -> tuple[dict[ImageKey, HeatMap], str]:
    """Class activation maps of images.

    Args:
        weights: The weights file of the network.
        root: Folder of the images.
        images: The images, each with the name of the class that is asked for; the first `MOST_EXPLAINED` are asked.

    Returns:
        The maps of those that have one, and why others have none, a sentence; empty if all have one.
    """
    found: dict[ImageKey, HeatMap] = {}
    why_not = ""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", IMAGE_PREDICTOR_MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=program_environment(),
        cwd="/",
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdout.readline(_LONGEST_ANSWER_BYTES)  # it is ready
            for key, name in dict(images[:MOST_EXPLAINED]).items():
                question = ImageQuestion(
                    str(weights.resolve()), str(root.resolve()), key.path, key.frame, name
                )
                process.stdin.write(encode_question(question))
                process.stdin.flush()
                answer = decode_answer(process.stdout.readline(_LONGEST_ANSWER_BYTES))
                if answer.activation is not None:
                    found[key] = answer.activation.heat
                else:
                    why_not = answer.no_activation or answer.failure or answer.problem
                if answer.failure:
                    break
        except (OSError, ValueError):
            why_not = "The process that tells where the network looks has ended."
        finally:
            process.kill()
    return found, why_not
