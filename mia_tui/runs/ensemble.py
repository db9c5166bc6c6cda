"""Several networks that answer together: which ones may, and the settings of a job that names them.

The mean of the probabilities of networks that differ only in their random numbers is more often right than any of
them (Lakshminarayanan et al. 2017, deep ensembles).
"""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from mia_tui.config.predict import EnsembleMember
from mia_tui.errors import ConfigError
from mia_tui.paths import real_path
from mia_tui.runs.record.decision import read_decision
from mia_tui.runs.record.job_place import network_settings
from mia_tui.runs.record.model_card import network_name, read_card
from mia_tui.text import name_some, printable


def ensemble_settings(files: Sequence[Path]) -> dict[str, object]:
    """The fields of `NetworkConfig` that say which networks answer; of one alone those of `network_settings`.

    Each network keeps its own temperature; a threshold of one of them says nothing of the mean, and has no effect.

    Args:
        files: Weights files, the first of which decides the order of the classes.

    Raises:
        CheckpointError: If a file is missing, damaged or not ours.
        ConfigError: If they cannot answer together.
        RunError: If the temperature of a network cannot be read.
    """
    if len(files) == 1:
        return dict(network_settings(files[0]))
    check_ensemble(files)
    members = tuple(_member(file) for file in files)
    digest = blake2b(digest_size=16)
    for member in members:
        digest.update(f"{member.digest} {member.temperature!r}\n".encode())
    is_known = all(member.digest for member in members)
    return {
        "weights": members[0].weights,
        "digest": digest.hexdigest() if is_known else "",
        "network": " + ".join(member.network for member in members),
        "ensemble": members,
    }


def check_ensemble(files: Sequence[Path]) -> None:
    """Refuse networks that cannot answer together.

    Raises:
        CheckpointError: If a file is missing, damaged or not ours.
        ConfigError: If a network is named twice, or two have different classes or take stacks differently.
    """
    seen: set[Path] = set()
    for file in files:
        if real_path(file) in seen:
            raise ConfigError(
                f"The network {printable(network_name(file))} is named twice.", "Name each with one --run."
            )
        seen.add(real_path(file))
    first, *others = [(network_name(file), read_card(file)) for file in files]
    known = {item.name for item in first[1].classes}
    for name, card in others:
        names = {item.name for item in card.classes}
        if names != known:
            raise ConfigError(
                f"{printable(name)} and {printable(first[0])} do not have the same classes: only one of them knows "
                f"{name_some(sorted(names ^ known))}.",
                "Networks that answer together were trained on the same classes, by name.",
            )
        if (card.stacks, card.stack, card.frames) != (first[1].stacks, first[1].stack, first[1].frames):
            raise ConfigError(
                f"{printable(name)} and {printable(first[0])} do not take stacks or animated files alike.",
                "Networks that answer together are given the same frames.",
            )


def _member(file: Path) -> EnsembleMember:
    settings = network_settings(file)
    digest = settings["digest"]
    decision = read_decision(file, digest=digest) if digest else None
    return EnsembleMember(**settings, temperature=1.0 if decision is None else decision.temperature)
