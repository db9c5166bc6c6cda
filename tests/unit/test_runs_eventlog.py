import errno
import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_support import epoch_row, finished, on_small_disk, settings_chosen, started, step, trial_ended

from mia_tui.errors import RunError
from mia_tui.runs.record import log
from mia_tui.runs.record.events import (
    CheckpointSaved,
    ConfusionSaved,
    EpochEnded,
    EpochPlace,
    Event,
    Failure,
    KnownEvent,
    Phase,
    ProgressMade,
    ResultSaved,
    RunEnded,
    StartTimed,
    TimeUsed,
    UnknownEvent,
    Warned,
)
from mia_tui.runs.record.log import EventLog, EventReader, decode_event, encode_event, last_event

EVENTS: list[Event] = [
    started(2, EpochPlace(3, 4)),
    Phase(t=1.5, name="loading", message="Reading 3 images"),
    StartTimed(t=1.5, total_s=4.0, parts={"libraries": 2.5}),
    trial_ended(),
    settings_chosen(),
    step(1, 2),
    epoch_row(1, macro_f1=0.0, accuracy=1.0),
    TimeUsed(t=2.0, seconds={"computing": 2.0}, sentence="All of it."),
    ConfusionSaved(t=1.0, epoch=1, split="val", file="confusion/last.json"),
    ProgressMade(t=1.0, done=3, total=5),
    CheckpointSaved(t=1.0, path="checkpoints/last.pt", epoch=1, is_best=True),
    ResultSaved(t=1.0, sentence="3 predictions", file="x.csv", counts={"größe": 3}, problems={"a": "b"}),
    Warned(t=1.0, message="größe\nzwei", hint="do"),
    RunEnded(t=1.0, outcome="failed", error=Failure("RunError", "It broke.", None)),
]


def read(path: Path) -> list[KnownEvent | UnknownEvent]:
    return EventReader(path).read_new()


def test_every_event_comes_back_as_it_was(tmp_path: Path) -> None:
    assert {type(event) for event in EVENTS} == set(KnownEvent.__args__)
    with EventLog(tmp_path / "events.jsonl") as log:
        for event in EVENTS:
            log.append(event)
    assert read(tmp_path / "events.jsonl") == EVENTS
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == len(EVENTS)


def test_numbers_that_are_not_finite_are_told_apart_from_zero_and_none() -> None:
    assert b'"loss":"nan"' in encode_event(step(1, 1, loss=math.nan))
    row = decode_event(encode_event(epoch_row(1, a=math.inf, b=-math.inf, c=math.nan, d=0.0)))
    assert str(row.val) == "{'a': inf, 'b': -inf, 'c': nan, 'd': 0.0}"
    assert decode_event(encode_event(epoch_row(1))).val is None


def test_names_that_are_not_utf8_can_be_told() -> None:
    event = decode_event(encode_event(Warned(t=1.0, message="\udcff größe \ud800 \U0001f600")))
    assert event == Warned(t=1.0, message="\\xff größe \\ud800 \U0001f600")


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    for number in (1, 2):
        with EventLog(tmp_path / "e") as log:
            log.append(step(1, number))
    assert read(tmp_path / "e") == [step(1, 1), step(1, 2)]


def test_a_torn_line_is_counted_and_what_follows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(encode_event(step(1, 1)) + encode_event(step(1, 2))[:30])
    with EventLog(path) as log:
        log.append(step(1, 3))
    reader = EventReader(path)
    assert reader.read_new() == [step(1, 1), step(1, 3)]
    assert reader.bad_lines == 1


def test_a_line_that_lacks_only_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(encode_event(step(1, 1))[:-1])
    with EventLog(path) as log:
        log.append(step(1, 2))
    reader = EventReader(path)
    assert reader.read_new() == [step(1, 1), step(1, 2)]
    assert reader.bad_lines == 0


def test_a_reader_takes_whole_lines_only_and_each_once(tmp_path: Path) -> None:
    path, reader = tmp_path / "e", EventReader(tmp_path / "e")
    assert reader.read_new() == []
    first, second = encode_event(step(1, 1)), encode_event(step(1, 2))
    with path.open("ab", buffering=0) as file:
        file.write(first + second[:10])
        assert reader.read_new() == [step(1, 1)]
        assert reader.read_new() == []
        file.write(second[10:])
        assert reader.read_new() == [step(1, 2)]
    assert reader.offset == path.stat().st_size


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 1200), max_size=6), chunk=st.integers(1, 400))
def test_a_growing_file_reads_the_same_wherever_it_was_looked_at(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], chunk: int
) -> None:
    whole = b"".join(encode_event(event) for event in EVENTS)
    path = tmp_path_factory.mktemp("log") / "e"
    reader, seen = EventReader(path), []
    with pytest.MonkeyPatch.context() as patch, path.open("ab", buffering=0) as file:
        patch.setattr(log, "_CHUNK_BYTES", chunk)
        for end in [*sorted(min(cut, len(whole)) for cut in cuts), len(whole)]:
            file.write(whole[path.stat().st_size : end])
            seen += reader.read_new()
    assert seen == EVENTS


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"null",
        b"[1]",
        b'{"t":1}',
        b'{"type":5,"t":1}',
        b'{"type":"phase","t":1}',
        b'{"type":"phase","t":1,"name":"\xff"}',
        bytes(40),
    ],
)
def test_a_bad_line_is_counted_and_skipped(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "e").write_bytes(line + b"\n" + encode_event(step(1, 1)))
    reader = EventReader(tmp_path / "e")
    assert reader.read_new() == [step(1, 1)]
    assert reader.bad_lines == 1


def test_events_of_a_later_version_are_kept_raw_and_new_fields_ignored() -> None:
    assert decode_event(b'{"type":"tea_made","t":1,"cups":2}') == UnknownEvent(
        {"type": "tea_made", "t": 1, "cups": 2}
    )
    assert decode_event(b'{"type":"progress","t":1,"done":1,"total":2,"mood":"good"}') == ProgressMade(
        t=1.0, done=1, total=2
    )


def test_event_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """Their run_started has a `kind`, and they knew two phases more, which no worker ever began."""
    before = encode_event(started()).replace(b'"pid":', b'"kind":"train","pid":')
    phase = b'{"type":"phase","t":1.0,"name":"evaluating","message":""}'
    (tmp_path / "e").write_bytes(before + phase + b"\n" + encode_event(step(1, 1)))
    reader = EventReader(tmp_path / "e")
    assert b"kind" in before
    assert reader.read_new() == [started(), UnknownEvent(json.loads(phase)), step(1, 1)]
    assert reader.bad_lines == 0


def test_lines_of_several_threads_stay_whole(tmp_path: Path) -> None:
    with EventLog(tmp_path / "e") as log:

        def write(thread: int) -> None:
            for number in range(200):
                log.append(step(thread, number))

        threads = [threading.Thread(target=write, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events: list[Any] = read(tmp_path / "e")
    assert len(events) == 1600
    assert [event.step for event in events if event.epoch == 5] == list(range(200))


def test_after_a_short_write_the_line_comes_again_on_a_line_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, short = os.write, [20]

    def cut(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: short.pop()] if short else data)

    monkeypatch.setattr(os, "write", cut)
    with EventLog(tmp_path / "e") as log:
        log.append(epoch_row(1))
        assert len(log._waiting) == 1
        log.append(epoch_row(2))
        assert len(log._waiting) == 0
    reader = EventReader(tmp_path / "e")
    assert reader.read_new() == [epoch_row(1), epoch_row(2)]
    assert reader.bad_lines == 1


def test_a_write_that_lost_only_the_newline_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, short = os.write, [-1]

    def cut(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: short.pop()] if short else data)

    monkeypatch.setattr(os, "write", cut)
    with EventLog(tmp_path / "e") as log:
        log.append(epoch_row(1))
        log.append(epoch_row(2))
    assert read(tmp_path / "e") == [epoch_row(1), epoch_row(2)]


def test_on_a_full_disk_the_rows_wait_and_no_epoch_is_lost(tmp_path: Path) -> None:
    said = on_small_disk(
        tmp_path / "disk",
        """
        from pathlib import Path
        from mia_tui.runs.record.log import EventLog, EventReader
        from mia_tui.runs.record.events import EpochEnded
        from run_support import epoch_row, step
        folder = Path(sys.argv[1])
        log = EventLog(folder / "events.jsonl")
        log.append(epoch_row(0))
        ballast = folder / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        except OSError as error:
            assert error.errno == 28
        for epoch in range(1, 101):
            log.append(step(epoch, 1))
            log.append(epoch_row(epoch, macro_f1=0.5))
        waited = len(log._waiting)
        ballast.unlink()
        log.append(step(101, 1))
        log.append(epoch_row(101))
        log.close()
        reader = EventReader(folder / "events.jsonl")
        epochs = [event.epoch for event in reader.read_new() if isinstance(event, EpochEnded)]
        print(waited > 50, len(log._waiting), epochs == list(range(102)), reader.bad_lines <= 1)
        """,
        tmp_path / "disk",
    )
    assert said == "True 0 True True"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_disk_that_stays_full_never_raises_out_of_the_log(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "e")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, log._descriptor)
    os.close(full)
    log.append(step(1, 1))
    log.append(finished())
    log.close()
    assert len(log._waiting) == 1


def test_a_log_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    with pytest.raises(RunError, match="cannot be used: it is a folder"):
        EventLog(tmp_path / "e")


def test_another_failure_of_the_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int, data: bytes) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    log = EventLog(tmp_path / "e")
    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(RunError, match="Invalid argument"):
        log.append(finished())


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT])
def test_a_network_drive_that_was_away_gets_what_happened_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write, is_away = os.write, True
    log = EventLog(tmp_path / "e")
    log.append(epoch_row(1))
    stale = log._descriptor

    def on_network(descriptor: int, data: bytes) -> int:
        if is_away or descriptor == stale:  # an old descriptor stays stale
            raise OSError(number, "away")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", on_network)
    log.append(epoch_row(2))
    log.append(step(3, 1))
    assert len(log._waiting) == 1
    is_away = False
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data))
    log.append(epoch_row(3))
    log.close()
    epochs = [
        event.epoch for event in EventReader(tmp_path / "e").read_new() if isinstance(event, EpochEnded)
    ]
    assert epochs == [1, 2, 3]


def test_a_log_whose_file_is_stale_is_opened_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, log = os.write, EventLog(tmp_path / "e")
    inode, calls = os.fstat(log._descriptor).st_ino, []
    (tmp_path / "e").rename(tmp_path / "old")
    (tmp_path / "e").touch()

    def on_network(descriptor: int, data: bytes) -> int:
        calls.append(os.fstat(descriptor).st_ino)
        if calls[-1] == inode:
            raise OSError(errno.ESTALE, "Stale file handle")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", on_network)
    log.append(epoch_row(1))
    log.append(epoch_row(2))
    assert calls[0] == inode and calls[-1] != inode
    assert len(EventReader(tmp_path / "e").read_new()) == 2


def test_the_last_event_is_found_from_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e"
    assert last_event(path) is None
    path.write_bytes(b"")
    assert last_event(path) is None
    lines = [encode_event(step(1, number)) for number in range(500)]
    later = b'{"type":"tea_made","t":1,"cups":"%s"}\n' % (b"x" * 5000)
    path.write_bytes(b"".join(lines) + encode_event(finished()) + later + b"rubbish\n" + lines[0][:20])
    monkeypatch.setattr(log, "_TAIL_BYTES", 100)
    assert last_event(path) == finished()
    path.write_bytes(b"rubbish\n" * 1000)
    assert last_event(path) is None


def test_a_bad_line_among_thousands_costs_itself_only(tmp_path: Path) -> None:
    lines = [encode_event(step(1, number)) for number in range(5000)]
    lines[2500] = b'{"type":"step_ended","t":1,"ep\n'
    lines[2600] = b'{"type":"of_the_future","t":1}\n'
    (tmp_path / "e").write_bytes(b"".join(lines))
    reader = EventReader(tmp_path / "e")
    batches = list(reader.iter_batches())
    read = [event for batch in batches for event in batch]
    assert len(batches) > 3 and reader.bad_lines == 1
    assert sum(isinstance(event, UnknownEvent) for event in read) == 1 and len(read) == 4999
