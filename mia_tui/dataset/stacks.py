"""Whether each frame of a stack is labelled, or the stack as a whole: a choice for each dataset, kept in labels.db.

A choice changes no label. Those made for the other one are kept, and are used again when the choice is taken back.
"""

from collections.abc import Iterable, Mapping

from mia_tui.dataset.model import WHOLE_STACK, ImageKey, StackMode
from mia_tui.text import counted

_HOW: dict[StackMode, str] = {
    "frames": "Each frame of a stack is an image to label",
    "whole": "A stack is labelled as a whole and shown by its brightest values over all frames",
}


def mode_words(mode: StackMode, stacks: Mapping[str, int]) -> str:
    """How stacks are labelled, a sentence."""
    frames = f"{counted(len(stacks), 'stack')} with {sum(stacks.values()):,} frames"
    return f"{_HOW[mode]} ({frames})."


def unused_labels(labelled: Iterable[ImageKey], stacks: Mapping[str, int], mode: StackMode) -> int:
    """How many labels of stacks are not used, since they are of single frames, or of whole stacks.

    Args:
        labelled: Images with a label.
        stacks: How many frames the stacks of the dataset have, by path.
        mode: How stacks are labelled.
    """
    return sum((key.frame == WHOLE_STACK) != (mode == "whole") for key in labelled if key.path in stacks)


def unused_words(unused: int, mode: StackMode) -> str:
    """What happens to labels that were made for the other choice, a sentence; empty if there are none."""
    if not unused:
        return ""
    one, many = ("a whole stack", "whole stacks") if mode == "frames" else ("a single frame", "single frames")
    kept = "is kept and not used" if unused == 1 else "are kept and not used"
    return f"{counted(unused, f'label of {one}', f'labels of {many}')} {kept} until you change this again."


def unshown_words(unshown: int, mode: StackMode) -> str:
    """That suggestions are for the other choice, a sentence; empty if there are none.

    Args:
        unshown: How many there are.
        mode: How stacks are labelled.
    """
    if not unshown:
        return ""
    are = "1 of them is" if unshown == 1 else f"{unshown:,} of them are"
    if mode == "frames":
        return f"{are} of whole stacks, whose frames are labelled one by one here, and not shown."
    return f"{are} of single frames of stacks, which are labelled as a whole here, and not shown."
