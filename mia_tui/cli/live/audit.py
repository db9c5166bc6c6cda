"""`mia-tui labels audit`: how many labels and suggestions are right, from images drawn at random."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from mia_tui.active.audit import AuditEstimate, draw_sample, estimate, is_current
from mia_tui.active.outlook import Outlook, learning_curve, outlook, progress_sentence, since_sentence
from mia_tui.cli.live.learned import LiveImages, read_live
from mia_tui.cli.output.report import Report
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.dataset.store.review.audits import AuditDraw, by_model, draws_of, model_words, together
from mia_tui.dataset.store.review.records import AuditKind, AuditRow, Draw
from mia_tui.errors import ConfigError, DataError
from mia_tui.runs.disk import replacing
from mia_tui.text import counted, encode_cell, encode_name, printable, typed, when

if TYPE_CHECKING:
    from mia_tui.dataset.store.label_store import LabelStore

_MORE = 40  # labels, whose worth is told


def audit(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    *,
    draw: int | None,
    kind: str | None,
    out: Path | None,
    answers: Path | None,
    discard: bool,
    **how: Any,
) -> int:
    """Draw images, take answers, and print how many labels and suggestions are right; returns the exit code.

    Args:
        report: Prints.
        dataset: Folder of images.
        state: The folder given with --state.
        annotator: Who answers.
        draw: How many images are drawn.
        kind: "suggestions" or "labels"; None for suggestions, as long as there are any.
        out: Where images that are to be answered are written.
        answers: The file with the answers.
        discard: Whether images that are not answered yet are forgotten.
        how: As for `read_live`.
    """
    _check(draw, kind, out, answers, discard)
    live = read_live(report, dataset, state, annotator, **how)
    if isinstance(live, int):
        return live
    live.check_store("an audit")
    from mia_tui.dataset.store.label_store import LabelStore

    if draw is not None or answers is not None or discard:
        with LabelStore(live.found.state.labels_db, annotator=annotator) as store:
            if discard:
                report.say(f"{counted(store.discard_audit(), 'image')} forgotten.")
            if answers is not None:
                _answer(report, live, store, answers)
            if draw is not None:
                _draw(report, live, store, draw, kind)
        if answers is not None:  # they are labels now
            again = read_live(Report(as_json=True), dataset, state, annotator, **how)
            live = live if isinstance(again, int) else again
    rows = _audits(live)
    if out is not None:
        _write(report, live, rows, out)
    _show(report, live, rows)
    return 0


def _check(draw: int | None, kind: str | None, out: Path | None, answers: Path | None, discard: bool) -> None:
    if kind is not None and draw is None:
        raise ConfigError("--of says what --draw audits.", "Add --draw N.")
    if answers is not None and (draw is not None or out is not None or discard):
        raise ConfigError("--answers is for images that were drawn before.", "Give it alone.")
    if out is not None and out.suffix.lower() != ".csv":
        raise ConfigError(f"--out {printable(out)} is no CSV file.", "Name a file that ends in .csv.")


def _draw(report: Report, live: LiveImages, store: "LabelStore", count: int, wanted: str | None) -> None:
    waiting = live.mask({row.image for row in store.audits() if row.answer is None})
    usable = np.zeros(len(live.keys), np.bool_)
    usable[live.labelled] = True
    among: dict[AuditKind, Any] = {"suggestion": ~live.is_labelled & ~waiting, "label": usable & ~waiting}
    kind: AuditKind = "suggestion" if among["suggestion"].any() else "label"
    kind = kind if wanted is None else "label" if wanted.lower() == "labels" else "suggestion"
    drawn = draw_sample(among[kind], count, np.random.default_rng())
    if not len(drawn):
        raise DataError(
            f"There are no {kind}s to be drawn.", "Answer those that were drawn, or audit other ones."
        )
    known = {live.found.labelled.here(key): key for key in store.labels()}
    said = dict(zip(live.labelled.tolist(), live.class_ids.tolist(), strict=True))
    learned = live.learn() if kind == "suggestion" else None
    draws = []
    for row in drawn.tolist():
        key = known.get(live.keys[row], live.keys[row])
        if learned is None:
            draws.append(Draw(key, said[row]))
        else:
            best, confidence = int(learned.classes[learned.best[row]]), float(learned.confidences[row])
            draws.append(Draw(key, best, round(confidence, 5)))
    model = live.whose if kind == "suggestion" else None
    store.draw_audit(draws, kind=kind, drawn_from=int(among[kind].sum()), model=model)
    report.say(f"{counted(len(draws), kind)} drawn at random from {int(among[kind].sum()):,}.")


def _answer(report: Report, live: LiveImages, store: "LabelStore", file: Path) -> None:
    from mia_tui.dataset.interchange.formats import format_of_file, import_formats
    from mia_tui.dataset.interchange.reading import read_labels_of

    found = live.found
    read = read_labels_of(found.root, found.scan, format_of_file(file, import_formats()), file, None)
    classes = {known.name: known.id for known in store.classes()}
    unknown = next((name for name in read.labels.values() if name not in classes), None)
    if unknown is not None:
        raise DataError(
            f"{printable(file)} names the class {printable(unknown)}, which {printable(found.root)} does not have.",
            "Add it in the app, or correct the file.",
        )
    open_keys = {found.labelled.here(row.image): row.image for row in store.audits() if row.answer is None}
    given = [(open_keys[key], classes[name]) for key, name in read.labels.items() if key in open_keys]
    store.answer_audit(given)
    report.say(f"{counted(len(given), 'answer')} taken.")
    others = len(read.labels) - len(given)
    if others:
        report.warn(
            f"Left as {'it is' if others == 1 else 'they are'}: {counted(others, 'image')} of {printable(file)} that "
            "nobody asked about."
        )
    for one, several, names in (
        ("row names no image", "rows name no image", read.unmatched),
        ("row matches several images", "rows match several images", read.ambiguous),
    ):
        if names:
            more = " …" if len(names) > 1 else ""
            report.warn(
                f"{printable(file)}: {counted(len(names), one, several)}: {printable(names[0])}{more}"
            )


def _audits(live: LiveImages) -> list[AuditRow]:
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(live.found.state.labels_db)
    if store is None:
        return []
    with store:
        return store.audits()


def _write(report: Report, live: LiveImages, rows: Sequence[AuditRow], out: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "frame", "class"))
    waiting = [live.found.labelled.here(row.image) for row in rows if row.answer is None]
    for key in waiting:
        frame = "" if key.frame == WHOLE_STACK else key.frame
        writer.writerow((encode_cell(encode_name(key.path)), frame, ""))
    with replacing(out) as file:
        file.write(text.getvalue().encode())
    report.say(f"{counted(len(waiting), 'image')} to be answered in {printable(out)}.")


def _show(report: Report, live: LiveImages, rows: Sequence[AuditRow]) -> None:
    labelled = int(live.is_labelled.sum())
    now: dict[AuditKind, int] = {"label": labelled, "suggestion": len(live.keys) - labelled}
    found: dict[AuditKind, tuple[AuditDraw, AuditEstimate] | None] = dict.fromkeys(get_args(AuditKind))
    others: list[AuditDraw] = []
    for kind in found:
        for model, draws in by_model(draws_of(rows, kind)).items():
            drawn = together(draws, lambda draw: _is_current(draw, now[draw.kind]))
            if drawn is not None and (kind == "label" or model == live.whose):
                found[kind] = drawn, _estimate(drawn)
            elif drawn is not None:
                others.append(drawn)
    estimates = {kind: None if each is None else each[1] for kind, each in found.items()}
    more = _outlook(live, estimates["suggestion"])
    report.say(progress_sentence(labelled, estimates["suggestion"], estimates["label"], more))
    for each in found.values():
        if each is not None and not _is_current(each[0], now[each[0].kind]):
            report.warn(
                f"The audit of {each[0].kind}s is out of date: it was drawn from {each[0].drawn_from:,} images, and "
                f"there are {now[each[0].kind]:,} now.",
                "Draw again.",
            )
    for other in others:
        its = _estimate(other)
        report.say(f"{model_words(other.model)}: {its.right:,} of {its.audited:,} right, not counted above.")
    audited = found["label"]
    if audited is not None and _is_current(audited[0], now["label"]):
        since = _labels_since(live, audited[0].drawn_at)
        if since:
            report.warn(f"Labels were audited on {when(audited[0].drawn_at)}. {since_sentence(since)}")
    waiting = sum(row.answer is None for row in rows)
    if waiting:
        report.say(f"{counted(waiting, 'image')} to be answered; what is left open is not in the estimate.")
    if not rows:
        report.say(f"Nothing was audited yet: `mia-tui labels audit {typed(live.found.root)} --draw 40`.")
    report.record(
        {
            "labelled": labelled,
            "unlabelled": now["suggestion"],
            "open": waiting,
            **{f"{kind}s": _record(each, now[kind]) for kind, each in found.items()},
            "others": [_record((other, _estimate(other)), now[other.kind]) for other in others],
            "more": None if more is None else _outlook_record(more),
        }
    )


def _labels_since(live: LiveImages, drawn_at: float) -> int:
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(live.found.state.labels_db)
    if store is None:
        return 0
    with store:
        return store.labels_since(drawn_at)


def _is_current(draw: AuditDraw, now: int) -> bool:
    """Whether a draw still says something; images that its answers labelled count as if they had no label."""
    own = len(draw.answered) if draw.kind == "suggestion" else 0
    return is_current(draw.drawn_from, now + own)


def _estimate(draw: AuditDraw) -> AuditEstimate:
    audited = len(draw.answered)
    return estimate(draw.right, audited, max(draw.drawn_from, audited))


def _outlook(live: LiveImages, suggestions: AuditEstimate | None) -> Outlook | None:
    """What more labels would bring; None before suggestions were audited, or where all are labelled."""
    left = int((~live.is_labelled).sum())
    if suggestions is None or not left:
        return None
    points = live.suggester.points[live.labelled]
    curve = learning_curve(points, live.class_ids, live.groups[live.labelled])
    return outlook(suggestions, curve, min(_MORE, left), len(live.labelled))


def _record(found: "tuple[AuditDraw, AuditEstimate] | None", now: int) -> dict[str, Any] | None:
    if found is None:
        return None
    draw, its = found
    return {
        "model": draw.model,
        "right": its.right,
        "audited": its.audited,
        "drawn_from": draw.drawn_from,
        "share": its.share,
        "low": its.low,
        "high": its.high,
        "is_current": _is_current(draw, now),
    }


def _outlook_record(more: Outlook) -> dict[str, Any]:
    return {
        "labels": more.more,
        "share": more.share,
        "low": more.low,
        "high": more.high,
        "why_not": more.why_not or None,
    }
