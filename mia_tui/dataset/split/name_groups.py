"""Groups of images that names of files and folders tell: slides, patients, wells.

Images of one slide are alike in stain and light. If some are trained on and others validate, a network that knows the
slide looks as if it knew the class. So names are searched for a beginning that many images share, as `slide12` in
`slide12_cell3.png`, and a pattern for --group-by is made of it.

A word that people use for such things, before a number or a letter, is enough (`patient_007`, `donorA`). Of other
names only those count whose number in front of another one is shared by some images each (`P3_014`); dates, places in
an image (`x12_y34`) and what only repeats the class do not.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from mia_tui.dataset.model import ImageKey

_MANY = {
    "animal": "animals",
    "biopsy": "biopsies",
    "case": "cases",
    "culture": "cultures",
    "dish": "dishes",
    "donor": "donors",
    "embryo": "embryos",
    "fish": "fish",
    "fov": "fields of view",
    "individual": "individuals",
    "mouse": "mice",
    "movie": "movies",
    "organoid": "organoids",
    "participant": "participants",
    "pat": "patients",
    "patient": "patients",
    "person": "persons",
    "plant": "plants",
    "plate": "plates",
    "pt": "patients",
    "rat": "rats",
    "sample": "samples",
    "scan": "scans",
    "section": "sections",
    "slide": "slides",
    "specimen": "specimens",
    "stack": "stacks",
    "sub": "subjects",
    "subj": "subjects",
    "subject": "subjects",
    "video": "videos",
    "well": "wells",
    "wsi": "slides",
}
"""What is photographed more than once, and what several are called."""

_PLACES = frozenset(
    (
        *(
            "c",
            "ch",
            "channel",
            "col",
            "column",
            "crop",
            "fold",
            "frame",
            "level",
            "mag",
            "page",
            "patch",
            "px",
        ),
        *("r", "row", "stage", "t", "tile", "time", "um", "x", "y", "z"),
    )
)
"""Words before numbers that are places in an image, or what is done with it."""

_LEAST_GROUPS = 3
_LEAST_OF_NUMBERS = 5  # groups, where no word says what they are
_LEAST_SHARE = 0.8  # of the images that are in a group, and that share it with others
_MOST_NAMES = 40_000  # that are looked at, in blocks, whose images stand beside each other
_BLOCKS = 40
_MOST_PLACES = 12  # of a name, whose numbers are looked at
_MOST_DATES = 2  # before a number: a pattern with many of them takes for ever to say that it does not fit

_TIME = r"[-_T. ]?[0-2]\d[-_.h]?[0-5]\d(?:[-_.m]?[0-5]\d)?"
_DATE = re.compile(rf"(?<!\d)(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d(?:{_TIME})?(?!\d)")
_WORD = "|".join(sorted(_MANY, key=len, reverse=True))
_VALUE = "[0-9]+|[A-Z]{1,2}[0-9]+|[A-Z](?![A-Za-z0-9])"
_NAMED = re.compile(rf"(?<![A-Za-z])({_WORD})([-_ .]?)({_VALUE})", re.IGNORECASE)
_TCGA = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}")
_TOKEN = re.compile(r"([A-Za-z0-9]+)([^A-Za-z0-9]*)")


@dataclass(frozen=True)
class NameGroups:
    """Groups of images by their names.

    Attributes:
        count: Groups.
        noun: What they are called, in the plural.
        example: The name of one.
        pattern: For --group-by.
    """

    count: int
    noun: str
    example: str
    pattern: str

    @property
    def one(self) -> str:
        """What one of them is called."""
        words = [word for word, many in _MANY.items() if many == self.noun and word != "fov"]
        return (
            max(words, key=len) if words else self.noun.replace("s", "", 1) if "of" in self.noun else "group"
        )


def find_name_groups(labels: Mapping[ImageKey, int]) -> NameGroups | None:
    """The groups that the names of labelled images tell; None where they tell none.

    Args:
        labels: The class of each image.
    """
    classes: dict[str, int] = {}
    for key, index in labels.items():
        classes.setdefault(key.path, index)
    paths = _some(sorted(classes))
    for pattern in _patterns(paths):
        found = _groups(pattern, paths, classes)
        if found is not None:
            return found
    return None


def _some(paths: list[str]) -> list[str]:
    if len(paths) <= _MOST_NAMES:
        return paths
    step, size = len(paths) // _BLOCKS, _MOST_NAMES // _BLOCKS
    return [path for block in range(_BLOCKS) for path in paths[block * step : block * step + size]]


def _patterns(paths: list[str]) -> Iterator[str]:
    """What may find groups, the likeliest first."""
    if sum(_TCGA.search(path) is not None for path in paths) >= _LEAST_SHARE * len(paths):
        yield _TCGA.pattern
    yield from _named_patterns(paths, lambda path: path.rpartition("/")[0])
    yield from _named_patterns(paths, _stem)
    yield from _number_patterns([_stem(path) for path in paths])


def _stem(path: str) -> str:
    """The name of a file without its ending and with its dates made unreadable, so that no number is left in them."""
    return _DATE.sub("date", path.rpartition("/")[2].rpartition(".")[0])


def _named_patterns(paths: list[str], part: Callable[[str], str]) -> Iterator[str]:
    """A pattern for each word for such things in a part of the paths, the outermost first."""
    places: dict[tuple[str, str], int] = {}  # of a word and what stands behind it, the outermost
    kinds: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  # of values behind these
    for path in paths:
        for place, found in enumerate(_NAMED.finditer(part(path))):
            word = found[1], found[2]
            places[word] = min(place, places.get(word, place))
            kinds[word].add(_kind(found[3]))
    for name, gap in sorted(places, key=lambda word: places[word]):
        of_word = kinds[name, gap]
        value = next(iter(of_word)) if len(of_word) == 1 else "[A-Za-z0-9]+"
        yield f"{name}{gap if gap == ' ' else re.escape(gap)}{value}"


def _kind(value: str) -> str:
    """A pattern for values like this one."""
    if value.isdecimal():
        return "[0-9]+"
    return "[A-Za-z]+[0-9]+" if value[-1].isdecimal() else "[A-Za-z]"


def _number_patterns(stems: list[str]) -> Iterator[str]:
    """Patterns for a number with another one behind it, the first number first."""
    split = [_tokens(stem) for stem in stems]
    for place in range(max(map(len, split), default=0) - 1):
        longer = [tokens for tokens in split if len(tokens) > place + 1]
        dates = sum(any(tokens[at][0] == "date" for tokens in longer) for at in range(place + 1))
        if len(longer) < _LEAST_SHARE * len(stems) or dates > _MOST_DATES:
            return
        if _is_number(longer, place):
            begin = "".join(_like({tokens[at] for tokens in longer}) for at in range(place))
            value = _value_like({tokens[place][0] for tokens in longer})
            gap = _gap_like({tokens[place][1] for tokens in longer})
            yield f"(?:^|/)({begin}{value}){gap}[^/]*$"


def _tokens(stem: str) -> list[tuple[str, str]]:
    """The beginning of a name: words and numbers, each with what stands behind it."""
    return [(found[1], found[2]) for found in islice(_TOKEN.finditer(stem), _MOST_PLACES)]


def _is_number(tokens: list[list[tuple[str, str]]], place: int) -> bool:
    values = {each[place][0] for each in tokens}
    numbered = sum(any(map(str.isdecimal, each[place][0])) for each in tokens)
    words = {re.sub(r"[0-9].*", "", each[place][0]).lower() or _word_before(each, place) for each in tokens}
    return numbered >= 0.9 * len(tokens) and len(values) >= _LEAST_OF_NUMBERS and not words & _PLACES


def _word_before(tokens: list[tuple[str, str]], place: int) -> str:
    return tokens[place - 1][0].lower() if place else ""


def _like(tokens: set[tuple[str, str]]) -> str:
    """A pattern for tokens at one place, with what stands behind them."""
    return _value_like({value for value, _ in tokens}) + _gap_like({gap for _, gap in tokens})


def _value_like(values: set[str]) -> str:
    if len(values) == 1 and "date" not in values:
        return re.escape(next(iter(values)))
    if all(map(str.isdecimal, values)):
        return "[0-9]+"
    return "[A-Za-z0-9]+" if "date" not in values else "[A-Za-z0-9_.-]+"


def _gap_like(gaps: set[str]) -> str:
    if len(gaps) != 1:
        return "[^A-Za-z0-9/]+"
    return re.sub(r"[^\w -]", lambda sign: "[.]" if sign[0] == "." else re.escape(sign[0]), next(iter(gaps)))


def _groups(pattern: str, paths: list[str], classes: Mapping[str, int]) -> NameGroups | None:
    """The groups of a pattern; None if they are too few, too small, or the classes themselves."""
    compiled = re.compile(pattern)
    found = {path: match for path in paths if (match := compiled.search(path)) is not None}
    names = {path: "|".join(match.groups()) or match[0] for path, match in found.items()}
    sizes = Counter(names.values())
    least = _LEAST_OF_NUMBERS if pattern.startswith("(?:^") else _LEAST_GROUPS
    shared = sum(size for size in sizes.values() if size > 1)
    if not least <= len(sizes) <= len(paths) / 2 or shared < _LEAST_SHARE * len(paths):
        return None
    if _repeats_the_class(names, classes):
        return None
    word = re.match(r"[A-Za-z]+", pattern)
    noun = "patients" if pattern == _TCGA.pattern else _MANY.get(word[0].lower(), "") if word else ""
    example = min(name for name, size in sizes.items() if size > 1)
    return NameGroups(_count(compiled, classes, len(paths), len(sizes)), noun or "groups", example, pattern)


def _repeats_the_class(names: Mapping[str, str], classes: Mapping[str, int]) -> bool:
    """Whether each group is one class and each class one group."""
    pairs = {(name, classes[path]) for path, name in names.items()}
    return len(pairs) == len({name for name, _ in pairs}) == len({index for _, index in pairs})


def _count(pattern: re.Pattern[str], paths: Iterable[str], looked_at: int, found: int) -> int:
    """The groups of all images, where only some were looked at."""
    paths = list(paths)
    if len(paths) == looked_at:
        return found
    return len({match.groups() or match[0] for path in paths if (match := pattern.search(path)) is not None})
