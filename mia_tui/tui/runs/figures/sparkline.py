"""A curve in one line of characters."""

import math
from collections.abc import Sequence

_BLOCKS, _BLOCKS_ASCII = "▁▂▃▄▅▆▇█", "_.-=+*#%"


def sparkline(values: Sequence[float], columns: int, *, unicode: bool) -> str:
    """Values between the lowest and the highest of them; those that share a column as their mean."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite or columns < 1:
        return ""
    count = min(columns, len(finite))
    means = [
        sum(part) / len(part)
        for place in range(count)
        if (part := finite[place * len(finite) // count : (place + 1) * len(finite) // count])
    ]
    low, high = min(means), max(means)
    blocks = _BLOCKS if unicode else _BLOCKS_ASCII
    if high == low:
        return blocks[len(blocks) // 2] * count
    return "".join(blocks[round((value - low) / (high - low) * (len(blocks) - 1))] for value in means)
