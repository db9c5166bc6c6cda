"""The texts of a page of look-alikes: plain functions, no widgets."""

from collections.abc import Mapping, Sequence

from rich.style import Style

from mia_tui.dataset.model import ImageClass
from mia_tui.text import counted, percent
from mia_tui.tui.look_alikes.page import LookAlikePage
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.text_line import Piece

_BOLD = Style(bold=True)
_NAME, _LIKE = 24, 32  # columns of names
_FEW_LABELS = 5  # with fewer, images of the class were taken for others at 99 %


def title(page: LookAlikePage, image_class: ImageClass | None, left: int, ink: Ink) -> list[Piece]:
    """What the page is: its class with a question mark, how many images, how sure.

    Args:
        page: The page.
        image_class: Its class.
        left: Images that are suggested to be of the class, those of the page among them; 0 if that is not known.
        ink: Characters and styles.
    """
    if image_class is None:
        return [("This class does not exist any more.", _BOLD)]
    key = f" {image_class.key or image_class.name[:1]} "
    name = ink.fit(image_class.name, _NAME)
    pieces: list[Piece] = [
        (key, ink.chip(image_class.colour)),
        (f" {name}?", ink.words("suggestion", image_class.colour)),
    ]
    if page.like is not None:
        pieces.append((f"  {len(page):,} most like {ink.fit_left(page.like.path, _LIKE)}", _BOLD))
    else:
        last = ", the last" if left and left <= len(page) else ""
        count = (
            f"{len(page):,} of {left:,} look-alikes" if left > len(page) else counted(len(page), "look-alike")
        )
        pieces.append((f"  {count}{last}", _BOLD))
        sure = how_sure(page)
        pieces += [(f", {sure}", _BOLD)] if sure else []
    return pieces


def how_sure(page: LookAlikePage) -> str:
    """The probabilities of the page's class, from the least to the greatest; empty if they are not known."""
    known = [
        guess.probability
        for image in page.images
        for guess in image.guesses[:1]
        if guess.probability is not None
    ]
    if not known:
        return ""
    least, greatest = percent(min(known)), percent(max(known))
    return greatest if least == greatest else f"{least.removesuffix('%')}-{greatest}"


def rare_classes(classes: Sequence[ImageClass], labels: Mapping[int, int], ink: Ink) -> str:
    """That suggestions know little of some classes, whatever their percentages say; empty if there is no such class.

    Args:
        classes: Those that are not archived.
        labels: How many each has, by its id; a class without any is not suggested, and perhaps not needed.
        ink: Characters and styles.
    """
    rare = [each.name for each in classes if 0 < labels.get(each.id, 0) < _FEW_LABELS]
    if not rare:
        return ""
    named = ink.fit(ink.shown(rare[0]), _NAME) if len(rare) == 1 else f"{len(rare)} classes"
    return f"few labels of {named}: look twice"


def changes(corrected: int, out: int) -> str:
    """How many images get another class than the page's, and how many none; empty if there are no such."""
    words = [f"{corrected:,} of other classes"] if corrected else []
    return ", ".join([*words, f"{out:,} left out"] if out else words)


def progress(labelled: int, images: int, keys: int, taken: int) -> str:
    """How far the dataset is, and what its images have cost on these pages.

    Args:
        labelled: Images with a label.
        images: Images in all.
        keys: Keys and clicks on these pages.
        taken: Images that these have labelled.
    """
    words = f"{labelled:,} of {images:,} labelled"
    return f"{words}, {keys / taken:.2f} keys an image" if taken else words


def audit_is_due(unaudited: int, how: str) -> str:
    """That labels by pages are to be audited; in one line of a small window, so that pages stay as large as they are.

    Args:
        unaudited: How many there are.
        how: The keys that lead to the audit.
    """
    return f"{counted(unaudited, 'label')} by pages since the last audit: {how}, audits some."


def hint(
    letters: str, class_keys: str, marked: int, take: str, labelled: int, columns: int, ink: Ink
) -> list[Piece]:
    """What the keys do here; the longest of several texts that there is room for.

    Args:
        letters: Of the tiles.
        class_keys: Of the classes, such as `1-8`; empty without any.
        marked: How many images are marked.
        take: The key that takes the page.
        labelled: How many images it labels.
        columns: There are.
        ink: Characters and styles.
    """
    key, dim = ink.accent(), ink.dim()
    ends = f"{letters[0]}-{letters[-1]}" if len(letters) > 1 else letters
    labels = f"{'labels' if len(class_keys) == 1 else 'label'}"
    target = f"the {counted(marked, 'marked image')}" if marked else "the image under the cursor"
    takes = [(take, key), (f" takes {labelled:,}", dim)]
    wrong = [(ends, key), (" wrong: its next best class", dim)] if letters else []
    by_class = [(class_keys, key), (f" {labels} {target}", dim)] if class_keys else []
    short = [(ends, key), (" wrong", dim)] if letters else []
    for parts in ((wrong, by_class, takes), (wrong, takes), (short, takes), (takes,)):
        pieces: list[Piece] = []
        for part in parts:
            pieces += [(ink.separator, dim), *part] if pieces and part else part
        if sum(ink.width(text) for text, _ in pieces) <= columns:
            break
    return pieces


def why_nothing(
    *, waiting: int, chosen: str, again: str, other: str, taken: int, left: int, next_steps: str
) -> list[str]:
    """The sentences where no page is left.

    Args:
        waiting: Images that were left out or passed.
        chosen: The class that the person chose; empty if none.
        again: The key that shows all of them again.
        other: The key that chooses another class.
        taken: Images that were labelled on these pages.
        left: Images without a label, skipped ones aside.
        next_steps: What one does next once no image is left, sentences.
    """
    words = [f"No image is left that is suggested to be {chosen}." if chosen else "No page is left."]
    if not left:
        words = ["No page is left: all images have a label or are skipped."]
    if taken:
        words.append(f"{counted(taken, 'image')} labelled here.")
    if waiting:
        words.append(f"{counted(waiting, 'image')} left out or passed: {again} shows them again.")
    if not left:
        words.append(next_steps)
    elif chosen:
        words.append(f"{other} chooses another class.")
    return words
