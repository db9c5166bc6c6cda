"""What a user should know about a split: sentences."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from mia_tui.dataset.model import PARTS, ImageKey, Part
from mia_tui.text import counted, name_some


def class_warnings(
    labels: Mapping[ImageKey, int],
    parts: Mapping[ImageKey, Part],
    groups: Mapping[ImageKey, str],
    shares: Mapping[Part, float],
    names: Sequence[str] | None,
) -> list[str]:
    """What classes are too small for: one sentence a kind.

    Args:
        labels: Class position of each labelled image.
        parts: Its part.
        groups: Its group.
        shares: The share each part should have had.
        names: Class names.
    """
    images = Counter(labels.values())
    held = {part: {labels[key] for key in labels if parts[key] == part} for part in PARTS}
    belonging: dict[int, set[str]] = defaultdict(set)
    for key, index in labels.items():
        belonging[index].add(groups.get(key, key.path))
    kinds: dict[str, list[int]] = defaultdict(list)
    for index in sorted(images):
        if index not in held["train"]:
            kinds["No images to train on"].append(index)
        elif shares["val"] > 0 and index not in held["val"]:
            if images[index] == 1:
                kinds["One image only, which is trained on, so nothing validates the class"].append(index)
            elif len(belonging[index]) == 1:
                kinds["All images in one group, which is trained on, so nothing validates the class"].append(
                    index
                )
            else:
                kinds["No images for validation"].append(index)
        elif shares["test"] > 0 and index not in held["test"]:
            kinds["No images for the test"].append(index)
    return [
        f"{kind}: {name_some(f'class {index}' if names is None else names[index] for index in indices)}."
        for kind, indices in kinds.items()
    ]


def copies_of_two_classes(
    labels: Mapping[ImageKey, int], hashes: Mapping[str, str], names: Sequence[str]
) -> list[str]:
    """Byte-identical images that carry different labels: one of them must be wrong."""
    first: dict[tuple[str, int], ImageKey] = {}
    pairs = []
    for key, index in labels.items():
        if key.path not in hashes:
            continue
        other = first.setdefault((hashes[key.path], key.frame), key)
        if labels[other] != index:
            pairs.append(f"{other.path} ({names[labels[other]]}) and {key.path} ({names[index]})")
    if not pairs:
        return []
    return [f"{counted(len(pairs), 'pair')} of identical images with different labels: {name_some(pairs)}."]
