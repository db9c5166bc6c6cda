"""Images of one slide, patient or the like that are trained on and validated on."""

import re
from collections import defaultdict
from collections.abc import Iterator

from mia_tui.config.command import quoted
from mia_tui.dataset.split.name_groups import NameGroups, find_name_groups
from mia_tui.paths import typed_dataset
from mia_tui.runs.preflight.finding import CheckFinding
from mia_tui.runs.preflight.prepare import Prepared
from mia_tui.text import printable


def groups_to_keep(prepared: Prepared) -> NameGroups | None:
    """The groups that names tell and that the split does not keep together; None if there are none."""
    config = prepared.job.config
    if config.group_by or config.val is not None or prepared.dataset.labelled.parts:
        return None
    return find_name_groups(prepared.dataset.labelled.labels)


def torn_groups(prepared: Prepared, *, is_stored: bool = False) -> Iterator[CheckFinding]:
    """Find groups whose images are in more than one part.

    Args:
        prepared: The job.
        is_stored: Whether its split was just stored, so that only a new one can keep them together.
    """
    groups = groups_to_keep(prepared)
    if groups is None:
        return
    pattern, parts = re.compile(groups.pattern), defaultdict(set)
    for sample in prepared.samples:
        match = pattern.search(sample.path)
        if match is not None:
            parts[match.groups() or match[0]].add(sample.split)
    torn = sum(len(of) > 1 for of in parts.values())
    if torn:
        yield CheckFinding(
            f"File names look like {groups.count:,} {groups.noun} (such as {printable(groups.example)}), and images "
            f"of {torn:,} of them are both trained on and validated on, which makes results look better than they "
            "are.",
            how_to_keep(groups, prepared, is_stored=is_stored),
        )


def how_to_keep(groups: NameGroups, prepared: Prepared, *, is_stored: bool = False) -> str:
    """What keeps each group in one part, a sentence."""
    option = f"--group-by {quoted(groups.pattern)}"
    if prepared.plan is None or (prepared.plan.before.rule is None and not is_stored):
        return f"{option} keeps each {groups.one} in one part."
    dataset = typed_dataset(prepared.dataset.root, prepared.dataset.state.root)
    return f"`mia-tui labels split {dataset} --new {option}` makes a split that keeps each {groups.one} in one part."
