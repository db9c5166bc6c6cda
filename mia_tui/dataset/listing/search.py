"""Text in a million paths, whatever the case of letters, within a blink."""

import os
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_PATHS = 8192  # looked at together: their bytes stay in the processor's cache

Letter = tuple[bytes, ...]
"""The ways to write one letter, each with the same number of bytes."""


def paths_with(text: str, names: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which paths contain a text.

    Args:
        text: Both its composed and its decomposed form are looked for (a Mac writes umlauts as two).
        names: Bytes of all paths, each with a zero behind it.
        ends: Where the next path begins, for each, ascending.

    Returns:
        One bool for each path.
    """
    found = np.zeros(len(ends), np.bool_)
    if not text:
        found[:] = True
    for form in {unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)}:
        letters = _letters(form)
        if not letters:
            continue
        for start in range(0, len(ends), _PATHS):
            stop = min(start + _PATHS, len(ends))
            base = int(ends[start - 1]) if start else 0
            hits = _find(names[base : int(ends[stop - 1])], letters)
            if len(hits):
                found[start + np.searchsorted(ends[start:stop] - base, hits, side="right")] = True
    return found


def _letters(text: str) -> list[Letter]:
    """Empty where no path can contain the text."""
    if "\0" in text:
        return []
    try:
        return [_ways_to_write(letter) for letter in text]
    except UnicodeEncodeError:
        return []


def _ways_to_write(letter: str) -> Letter:
    written = os.fsencode(letter)
    others = {os.fsencode(other) for other in (letter.lower(), letter.upper())}
    return written, *(other for other in others if other != written and len(other) == len(written))


def _find(names: NDArray[np.uint8], letters: Sequence[Letter]) -> NDArray[np.intp]:
    """Where the text begins. Its first letters are compared everywhere, the others where those fit."""
    width = sum(len(letter[0]) for letter in letters)
    places = len(names) - width + 1
    if places <= 0:
        return np.empty(0, np.intp)
    fits, offset = np.ones(places, np.bool_), 0
    for letter in letters[:2]:
        fits &= _is_letter(names, slice(offset, offset + places), letter)
        offset += len(letter[0])
    hits = np.flatnonzero(fits)
    for letter in letters[2:]:
        if not len(hits):
            break
        hits = hits[_is_letter(names, hits + offset, letter)]
        offset += len(letter[0])
    return hits


def _is_letter(names: NDArray[np.uint8], at: slice | NDArray[np.intp], letter: Letter) -> NDArray[np.bool_]:
    ways = [_is_written(names, at, way) for way in letter]
    fits = ways[0]
    for other in ways[1:]:
        fits |= other
    return fits


def _is_written(names: NDArray[np.uint8], at: slice | NDArray[np.intp], way: bytes) -> NDArray[np.bool_]:
    fits: NDArray[np.bool_] = names[at] == way[0]
    for step in range(1, len(way)):
        at = slice(at.start + 1, at.stop + 1) if isinstance(at, slice) else at + 1
        fits &= names[at] == way[step]
    return fits
