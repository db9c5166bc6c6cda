"""Features on disk: rows that only grow, whoever is killed meanwhile, and found again by path and by content."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from mia_tui.dataset.cache_room import bytes_of
from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.dataset.listing.arrays import arrays_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.errors import MiaError, RunError
from mia_tui.features import layout
from mia_tui.features.known_content import KnownContent
from mia_tui.features.layout import RECORD, TableDescription, TableFolder, UnreadImage, table_folder
from mia_tui.features.room import make_room
from mia_tui.features.table import FeatureTable
from mia_tui.features.writer import FeatureRow, FeatureWriter

NETWORK = "small-96"
DIMS = 4
EIGHT_BITS = InputMap(mode="dataset", limits=[ValueLimits(dtype="uint8", low=[0.0], high=[255.0])])


def description(**fields: object) -> TableDescription:
    return TableDescription(
        **{"id": NETWORK, "name": "small", "dims": DIMS, "input_map": EIGHT_BITS, **fields}
    )


def image(
    path: str, frame: int = 0, *, size: int = 10, time: int = 5, content: str = "", part: str = ""
) -> FeatureRow:
    digest = content.encode().hex().ljust(40, "0") if content else ""
    return FeatureRow(ImageKey(path, frame), size, time, digest, part)


def add(root: Path, *images: FeatureRow, first: float = 0.0, network: str = NETWORK) -> None:
    with FeatureWriter(root, network) as writer:
        writer.begin(description(id=network))
        writer.append(images, rows_of(len(images), first))


def rows_of(count: int, first: float = 0.0) -> np.ndarray:
    return first + np.arange(count, dtype=np.float32)[:, None] + np.zeros((1, DIMS), np.float32)


def opened(root: Path) -> FeatureTable:
    table = FeatureTable.open(root, NETWORK)
    assert table is not None
    return table


def tear(root: Path, row: int) -> None:
    """Leave the features of a row as a power loss does."""
    with table_folder(root, NETWORK).rows(1).open("r+b") as content:
        content.seek(row * 2 * DIMS)
        content.write(bytes(2 * DIMS))


def listed(*paths: str, size: int = 10, time: int = 5, **more: object) -> Listing:
    count = len(paths)
    return Listing(arrays_of(paths, sizes=[size] * count, mtimes_ns=[time] * count, **more))


def test_rows_are_found_by_path_in_any_order(tmp_path: Path) -> None:
    add(tmp_path, image("b.png"), image("a/c.png"), image("ä\udcff.png"))
    table = opened(tmp_path)
    assert len(table) == 3
    assert table.places(listed("a/c.png", "b.png", "new.png", "ä\udcff.png")).tolist() == [1, 0, -1, 2]
    assert table.rows(1, 3).tolist() == [[1.0] * DIMS, [2.0] * DIMS]
    assert table.network == layout.FeatureNetwork(NETWORK, "small", DIMS)


def test_there_is_no_table_before_one_was_made_nor_of_an_impossible_network(tmp_path: Path) -> None:
    assert FeatureTable.open(tmp_path) is None
    assert FeatureTable.open(tmp_path, "../other") is None


def test_a_changed_file_has_no_row_until_it_gets_a_new_one(tmp_path: Path) -> None:
    add(tmp_path, image("a.png"), image("b.png"))
    table = opened(tmp_path)
    later = listed("a.png", "b.png", time=6)
    assert table.places(later).tolist() == [-1, -1]
    assert table.places(listed("a.png", "b.png", size=11)).tolist() == [-1, -1]
    assert not table.refresh()
    add(tmp_path, image("a.png", time=6), first=7)
    assert table.refresh()
    assert table.places(later).tolist() == [2, -1]
    assert table.rows(2, 3).tolist() == [[7.0] * DIMS]


def test_where_a_listing_knows_no_sizes_and_times_yet_the_path_decides(tmp_path: Path) -> None:
    add(tmp_path, image("a.png"), image("b.png"))
    table = opened(tmp_path)
    assert table.places(Listing(arrays_of(["b.png", "c.png"]))).tolist() == [1, -1]


def test_frames_and_whole_stacks_have_rows_of_their_own(tmp_path: Path) -> None:
    add(tmp_path, *(image("s.tif", frame) for frame in (0, 1, 2, WHOLE_STACK)), image("z.png"))
    table = opened(tmp_path)
    frames = listed("s.tif", "z.png", frames=[3, 1])
    assert table.places(frames).tolist() == [0, 1, 2, 4]
    whole = listed("s.tif", "z.png", frames=[3, 1], stacks="whole")
    assert table.places(whole).tolist() == [3, 4]
    assert table.places(listed("s.tif", frames=[4])).tolist() == [0, 1, 2, -1]


def test_what_float16_cannot_hold_becomes_its_largest_number(tmp_path: Path) -> None:
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        writer.append([image("a.png")], np.array([[1e9, -np.inf, np.nan, 0.5]]))
    assert opened(tmp_path).rows(0, 1).tolist() == [[65504.0, -65504.0, 0.0, 0.5]]


@pytest.mark.parametrize("torn", ["images", "rows", "names"])
@pytest.mark.parametrize("missing", [1, 70])
def test_a_torn_end_is_cut_off_and_the_rest_stays(tmp_path: Path, torn: str, missing: int) -> None:
    add(tmp_path, *(image(f"{number}.png") for number in range(40)))
    file: Path = getattr(table_folder(tmp_path, NETWORK), torn)(1)
    with file.open("r+b") as content:
        content.truncate(file.stat().st_size - missing)
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        kept = len(writer)
        assert 0 < kept < 40
        writer.append([image("new.png")], rows_of(1, 99))
    table = opened(tmp_path)
    assert len(table) == kept + 1
    assert table.places(listed("0.png", f"{kept - 1}.png", f"{kept}.png", "new.png")).tolist() == [
        0,
        kept - 1,
        -1,
        kept,
    ]
    assert table.rows(kept, kept + 1).tolist() == [[99.0] * DIMS]


def test_features_that_never_reached_the_disk_are_not_taken_for_features(tmp_path: Path) -> None:
    add(tmp_path, *(image(f"{number}.png") for number in range(9)))
    tear(tmp_path, row=6)
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        assert len(writer) == 6


def test_a_torn_end_is_not_read_and_is_made_again_while_the_table_is_open(tmp_path: Path) -> None:
    add(tmp_path, *(image(f"{number}.png") for number in range(9)))
    tear(tmp_path, row=6)
    table = opened(tmp_path)
    assert len(table) == 6 and not table.refresh()
    assert table.places(listed("5.png", "6.png", "8.png")).tolist() == [5, -1, -1]
    add(tmp_path, *(image(f"{number}.png") for number in range(6, 9)), first=6)
    assert table.refresh() and len(table) == 9
    assert table.rows(0, 9)[:, 0].tolist() == list(range(9))


@pytest.mark.parametrize("made", [0, 4])
def test_names_that_never_reached_the_disk_take_no_other_rows_with_them(tmp_path: Path, made: int) -> None:
    add(tmp_path, *(image(f"{number}.png") for number in range(9)))
    file = table_folder(tmp_path, NETWORK).names(1)
    os.truncate(file, made * len("0.png") + made)
    table = opened(tmp_path)
    assert len(table) == made
    os.truncate(file, 9 * 6)  # zeros, as some file systems leave them
    assert opened(tmp_path).places(listed(*(f"{n}.png" for n in range(9)))).tolist() == [
        *range(made),
        *[-1] * (9 - made),
    ]


def test_torn_rows_of_another_table_are_not_copied(tmp_path: Path) -> None:
    images = [image("a.png", content="one"), image("b.png", content="two")]
    add(tmp_path / "one", *images)
    tear(tmp_path / "one", row=1)
    known = KnownContent(description())
    assert [row.key.path for rows, _ in known.rows(images) for row in rows] == ["a.png"]


def test_rows_reach_the_disk_often_enough_and_records_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So no more than the rows whose checksums are compared can be torn."""
    synced: list[str] = []

    def fsync(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink().name)

    monkeypatch.setattr("mia_tui.features.writer.os.fsync", fsync)
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        synced.clear()
        for start in range(0, 6000, 500):
            writer.append([image(f"{start + number}.png") for number in range(500)], rows_of(500))
        assert synced == ["names-1.bin", "rows-1.f16", "images-1.bin"]
        writer.append([image(f"more {number}.png") for number in range(20_000)], rows_of(20_000) % 7)
        assert len(synced) >= 3 * 5
    assert synced[-1] == "images-1.bin"


def test_rows_that_somebody_may_have_read_stay_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are cut under an open memory map end the process that has it."""
    add(tmp_path, image("a.png"))
    table = opened(tmp_path)
    write = os.write

    def full(file: int, content: memoryview) -> int:
        name = Path(f"/proc/self/fd/{file}").readlink().name
        if not name.startswith("images"):
            return write(file, content)
        if len(content) < 4 * RECORD.itemsize:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content[: 2 * RECORD.itemsize + 5])  # two of four

    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        monkeypatch.setattr("mia_tui.features.writer.os.write", full)
        with pytest.raises(MiaError):
            writer.append([image(f"{number}.png") for number in range(4)], rows_of(4, 5))
        monkeypatch.undo()
        assert table.refresh() and len(table) == 3
        writer.append([image("later.png")], rows_of(1, 9))
    assert table.refresh()
    assert table.rows(0, 4)[:, 0].tolist() == [0.0, 5.0, 6.0, 9.0]
    assert table.places(listed("a.png", "1.png", "2.png", "later.png")).tolist() == [0, 2, -1, 3]


def test_a_table_that_is_removed_and_made_again_while_it_is_open_gives_no_rows_of_others(
    tmp_path: Path,
) -> None:
    add(tmp_path, image("a.png"), image("b.png"))
    table = opened(tmp_path)
    assert make_room(0, keep=table_folder(tmp_path / "other", NETWORK)) == [table_folder(tmp_path, NETWORK)]
    assert table.is_replaced and not table.refresh()
    assert table.rows(0, 2)[:, 0].tolist() == [0.0, 1.0]
    add(tmp_path, image("b.png"), image("a.png"), image("c.png"), first=7)
    assert table.is_replaced and not table.refresh()
    assert len(table) == 2 and table.rows(0, 2)[:, 0].tolist() == [0.0, 1.0]
    assert table.places(listed("a.png", "b.png", "c.png")).tolist() == [0, 1, -1]
    again = opened(tmp_path)
    assert again.rows(0, 3)[:, 0].tolist() == [7.0, 8.0, 9.0] and not again.is_replaced


def test_a_table_that_is_being_written_shows_whole_rows_only(tmp_path: Path) -> None:
    add(tmp_path, image("a.png"))
    table = opened(tmp_path)
    record = np.zeros(1, RECORD)
    with table_folder(tmp_path, NETWORK).images(1).open("ab") as file:
        file.write(record.tobytes()[: RECORD.itemsize - 1])
    assert not table.refresh() and len(table) == 1
    with table_folder(tmp_path, NETWORK).images(1).open("ab") as file:
        file.write(record.tobytes()[-1:])  # a record without its name and row
    assert not table.refresh() and len(table) == 1


def test_two_jobs_never_write_to_one_table(tmp_path: Path) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from mia_tui.features.writer import FeatureWriter

        with FeatureWriter(Path({os.fspath(tmp_path)!r}), {NETWORK!r}):
            print("has it", flush=True)
            sys.stdin.read()
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None and other.stdin is not None
    with other:
        assert other.stdout.readline() == b"has it\n"
        with (
            pytest.raises(RunError, match="Another job makes the same features now"),
            FeatureWriter(tmp_path, NETWORK),
        ):
            pass
        other.kill()
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())


def test_another_input_begins_anew_and_an_open_table_keeps_what_it_has(tmp_path: Path) -> None:
    add(tmp_path, image("a.png"), first=3)
    before = opened(tmp_path)
    channels = InputMap(mode="dataset", channels=["0", "1"], limits=[])
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description(input_map=channels))
        assert len(writer) == 0
    assert before.rows(0, 1).tolist() == [[3.0] * DIMS]
    assert before.is_replaced and not before.refresh()
    assert len(opened(tmp_path)) == 0


def test_a_map_that_knows_more_types_keeps_the_rows(tmp_path: Path) -> None:
    add(tmp_path, image("a.png"))
    deep = ValueLimits(dtype="uint16", low=[0.0], high=[4095.0])
    more = InputMap(mode="dataset", limits=[*EIGHT_BITS.limits, deep], bits=16)
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description(input_map=more))
        assert len(writer) == 1
    found = table_folder(tmp_path, NETWORK).description()
    assert found is not None and found.input_map == more


def test_files_of_known_content_are_found_in_all_tables(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    add(one, image("a.png", content="A"), image("b.png", content="B"), image("big.png"), first=1)
    add(other, image("x.png", content="X", size=12), first=9)
    known = KnownContent(description())
    assert known.of_size([10, 11, 12]).tolist() == [10, 12]
    wanted = [
        image("new.png", content="B"),
        image("again.png", content="B"),
        image("x2.png", content="X", size=12),
    ]
    found = {
        row.key.path: features[0]
        for chosen, rows in known.rows([*wanted, image("none.png", content="N")])
        for row, features in zip(chosen, rows, strict=True)
    }
    assert found == {"new.png": 2.0, "again.png": 2.0, "x2.png": 9.0}
    assert not list(known.rows([image("a.png", 1, content="A")]))  # another frame
    assert not list(known.rows([image("unknown.png")]))  # a file too large for a digest
    assert not KnownContent(description(input_map=InputMap(mode="type")))


def test_features_of_a_table_that_is_written_anew_meanwhile_are_not_taken_for_those_of_others(
    tmp_path: Path,
) -> None:
    one, other = image("a.png", content="one"), image("b.png", content="other")
    add(tmp_path, one, other)
    known = KnownContent(description())
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        writer.keep_only(np.array([1, 0], np.int32))
    assert [(row.key.path, features.tolist()) for rows, features in known.rows([one]) for row in rows] in (
        [],
        [("a.png", [[0.0] * DIMS])],
    )


def test_a_table_can_be_written_anew_without_the_rows_of_images_that_are_gone(tmp_path: Path) -> None:
    add(tmp_path, *(image(f"{number}.png", content=str(number), part="val") for number in range(6)))
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        writer.keep_only(np.array([4, 1], np.int32))
        writer.append([image("new.png")], rows_of(1, 50))
    table = opened(tmp_path)
    assert table.places(listed("1.png", "4.png", "5.png", "new.png")).tolist() == [1, 0, -1, 2]
    assert table.rows(0, 3)[:, 0].tolist() == [4.0, 1.0, 50.0]
    assert table.parts.tolist() == [2, 2, 0]
    assert not table_folder(tmp_path, NETWORK).rows(1).exists()


def test_images_that_could_not_be_read_are_no_work_until_they_change(tmp_path: Path) -> None:
    add(tmp_path, image("a.png"))
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        writer.put_unread([UnreadImage("bad.png", 0, 10, 5, "It is damaged.")])
    table = opened(tmp_path)
    assert table.missing(listed("a.png", "bad.png", "new.png")).tolist() == [2]
    assert table.missing(listed("a.png", "bad.png", time=6)).tolist() == [0, 1]
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        writer.put_unread([])
    assert table.missing(listed("a.png", "bad.png")).tolist() == [1]


def test_features_that_were_not_used_for_longest_make_room(tmp_path: Path) -> None:
    folders: list[TableFolder] = []
    for number, name in enumerate(("oldest", "old", "busy", "new")):
        add(tmp_path / name, image("a.png"))
        folders.append(table_folder(tmp_path / name, NETWORK))
        os.utime(folders[-1].description_file, (number, number))
    oldest, old, busy, new = folders
    with FeatureWriter(tmp_path / "busy", NETWORK):
        assert make_room(10**9, keep=new) == []
        assert opened(tmp_path / "oldest")  # used now
        each = bytes_of(new)
        assert make_room(3 * each, keep=new) == [old]
        assert make_room(each, keep=new) == [oldest]
    assert busy.description_file.exists() and new.description_file.exists()
    assert not old.path.parent.exists()
    assert FeatureTable.open(tmp_path / "old", NETWORK) is None


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"id":"small-96","name":"s","dims":4,"format":99}', b'{"id":"other"}']
)
def test_a_description_that_is_damaged_or_of_another_version_is_no_table(
    tmp_path: Path, content: bytes
) -> None:
    add(tmp_path, image("a.png"))
    table_folder(tmp_path, NETWORK).description_file.write_bytes(content)
    assert FeatureTable.open(tmp_path, NETWORK) is None
    add(tmp_path, image("b.png"))
    assert opened(tmp_path).places(listed("b.png")).tolist() != [-1]


def test_a_cache_folder_that_cannot_be_written_is_said_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(RunError, match="XDG_CACHE_HOME"), FeatureWriter(tmp_path, NETWORK):
        pass
    assert FeatureTable.open(tmp_path) is None


def test_features_that_begin_anew_are_not_taken_away_from_who_has_them_open(tmp_path: Path) -> None:
    """Files that are cut under an open memory map end the process that has it."""
    add(tmp_path, image("a.png"), first=7)
    table, folder = opened(tmp_path), table_folder(tmp_path, NETWORK)
    before = folder.rows(1).stat().st_ino
    folder.description_file.write_text('{"format": 99}')  # of a later version
    add(tmp_path, image("b.png"), first=3)
    assert folder.rows(1).stat().st_ino != before
    assert table.rows(0, 1).tolist() == [[7.0] * DIMS]
    assert opened(tmp_path).rows(0, 1).tolist() == [[3.0] * DIMS]


def change_record(folder: TableFolder, **fields: int) -> None:
    records = np.fromfile(folder.images(1), RECORD)
    for name, value in fields.items():
        records[name][-1] = value
    records.tofile(folder.images(1))


@pytest.mark.parametrize("end", [2**62, -5, 0])
def test_an_impossible_end_of_a_path_is_no_row(tmp_path: Path, end: int) -> None:
    add(tmp_path, image("a.png"), image("b.png"))
    change_record(table_folder(tmp_path, NETWORK), name_end=end)
    assert len(opened(tmp_path)) == 1
    with FeatureWriter(tmp_path, NETWORK) as writer:
        writer.begin(description())
        assert len(writer) == 1


def test_no_more_records_are_read_than_there_are_features(tmp_path: Path) -> None:
    """A file that a broken disk, or somebody, made a terabyte long does not fill the memory."""
    add(tmp_path, image("a.png", content="a"))
    os.truncate(table_folder(tmp_path, NETWORK).images(1), 1 << 40)
    assert len(opened(tmp_path)) == 1
    assert KnownContent(description()).of_size([10]).tolist() == [10]


@pytest.mark.parametrize("part", ["images", "rows", "names"])
@pytest.mark.parametrize("odd", ["pipe", "link"])
def test_what_is_no_file_of_features_is_not_waited_for_nor_read(tmp_path: Path, part: str, odd: str) -> None:
    add(tmp_path, image("a.png", content="a"))
    file: Path = getattr(table_folder(tmp_path, NETWORK), part)(1)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    if odd == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(elsewhere)
    assert len(opened(tmp_path)) == 0
    wanted = [image("c.png", content="a")]
    found = [rows.tolist() for _, rows in KnownContent(description()).rows(wanted)]
    assert found == ([[[0.0] * DIMS]] if part == "names" else [])
