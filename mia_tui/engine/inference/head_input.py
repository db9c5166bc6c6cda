"""What the head of a network is given for an image, beside what the network says of it: no pass more."""

from typing import Any

import torch
from torch import Tensor, nn

from mia_tui.engine.network.backbones import first_head
from mia_tui.engine.parallel.ranks import ALONE, Ranks


class WithHeadInput(nn.Module):
    """A network whose output is its logits and, behind them, what its head was given: shape (N, C + dims).

    The network is not changed but for a hook, until `close`.

    Args:
        model: The network, with C outputs.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._given = torch.empty(0)
        self._hook = first_head(model).register_forward_pre_hook(self._keep)

    def forward(self, images: Tensor) -> Tensor:
        """Logits and features of images (N, channels, H, W), float32."""
        logits: Tensor = self.model(images).float()
        given, self._given = self._given, torch.empty(0)
        if given.ndim < 2 or len(given) != len(logits):  # of a network that computes its head in another way
            return logits
        return torch.cat([logits, given.flatten(1).float()], dim=1)

    def close(self) -> None:
        """Take the hook off the network."""
        self._hook.remove()

    def _keep(self, module: nn.Module, inputs: Any) -> None:
        self._given = inputs[0]


class EvaluatedFeatures:
    """Features of the images of an evaluation as they pass by; of very many, some at equal distances.

    Args:
        count: How many images pass by.
        most: How many are kept at most.
    """

    def __init__(self, count: int, most: int) -> None:
        self._step = max(1, -(-count // most))
        self._seen = 0
        self._features: list[Tensor] = []
        self._rows: list[Tensor] = []

    def add(self, rows: Tensor, features: Tensor) -> None:
        """A batch: positions of its images, shape (N,), on the CPU, and features (N, dims), on any device."""
        first = -self._seen % self._step
        self._features.append(features[first :: self._step].clone())  # the clone lets go of the batch
        self._rows.append(rows[first :: self._step])
        self._seen += len(features)

    def kept(self, ranks: Ranks = ALONE) -> tuple[Tensor, Tensor]:
        """Rows (n,), int64, and features (n, dims), float32, of all processes, on the CPU; waits for the device."""
        pairs = zip(self._rows, self._features, strict=True)
        found = [
            pair
            for each in ranks.gather([(rows, features.cpu()) for rows, features in pairs])
            for pair in each
            if len(pair[0])
        ]
        if not found:
            return torch.empty(0, dtype=torch.int64), torch.empty(0, 0)
        rows, features = (torch.cat(each) for each in zip(*found, strict=True))
        if ranks.count > 1:
            order = rows.argsort()
            return rows[order], features[order]
        return rows, features
