"""Pages of look-alikes: one key takes a page, a letter gives a tile its next best class."""

from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from look_alikes_support import CLASSES, clustered, give_head, name_of
from textual.events import Key
from textual.pilot import Pilot
from tui_support import (
    SMALL,
    label,
    labels_in,
    make_context,
    opened,
    press,
    run,
    screen_text,
    told,
    wait_until,
)

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.records import Draw
from mia_tui.errors import DataError
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.look_alikes import audit_offer, commands
from mia_tui.tui.look_alikes.page import LookAlikePage
from mia_tui.tui.look_alikes.pages import Pages
from mia_tui.tui.look_alikes.screen import LookAlikesScreen
from mia_tui.tui.mosaic.mosaic import Mosaic

AppPilot = Pilot[Any]
WIDE = 120, 40
OPEN, LIKE = "quotation_mark", "at"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return clustered(tmp_path / "images")


@pytest.fixture(autouse=True)
def reads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see a page sooner than people."""
    monkeypatch.setattr(commands, "READ_S", 0.0)


def on_pages(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Have a test begin on the first page; it is given the pilot, and the fixtures that it names."""
    _, *names = signature(test).parameters.values()

    def begin(dataset: Path, **fixtures: object) -> None:
        asked = {"dataset": dataset, **fixtures}

        async def on_the_first_page() -> None:
            async with opened(dataset, size=WIDE) as pilot:
                give_head(pilot)
                await press(pilot, OPEN)
                await test(pilot, **{one.name: asked[one.name] for one in names})

        run(on_the_first_page())

    asked_for = dict.fromkeys(["dataset", *(one.name for one in names)])
    begin.__signature__ = Signature([Parameter(name, Parameter.KEYWORD_ONLY) for name in asked_for])  # type: ignore[attr-defined]
    begin.__name__ = test.__name__
    return begin


def pages_of(pilot: AppPilot) -> Pages:
    screen: Any = pilot.app.screen
    assert isinstance(screen, LookAlikesScreen), screen_text(pilot.app)
    return screen.pages


def page_of(pilot: AppPilot) -> LookAlikePage:
    page = pages_of(pilot).page
    assert page is not None, screen_text(pilot.app)
    return page


def paths(page: LookAlikePage) -> list[str]:
    return [key.path for key in page.keys]


def letter(pilot: AppPilot, position: int) -> str:
    screen: Any = pilot.app.screen
    return str(screen.letters[position])


def class_names(dataset: Path) -> dict[str, str]:
    """Class and source of each label, by path."""
    with LabelStore(dataset / "mia" / "labels.db") as store:
        names = {image_class.id: image_class.name for image_class in store.classes()}
        return {key.path: f"{names[one.class_id]} {one.source}" for key, one in store.labels().items()}


async def done(pilot: AppPilot) -> None:
    """Wait until this screen has obeyed everything; those below wait for it."""
    await pilot.pause()
    screen: Any = pilot.app.screen
    await wait_until(pilot, lambda: bool(screen.queue.idle))
    await pilot.pause()


def caption(pilot: AppPilot, position: int) -> str:
    """The line above a tile."""
    tiles = pilot.app.screen.query_one(Mosaic)
    layout = tiles.tile_layout
    line, place = divmod(position, layout.per_line)
    row = screen_text(pilot.app).splitlines()[tiles.region.y + line * layout.line_rows]
    return row[layout.x(place) : layout.x(place) + layout.columns]


@on_pages
async def test_one_key_takes_a_page_and_the_next_one_comes(pilot: AppPilot, dataset: Path) -> None:
    first = page_of(pilot)
    [kind] = {int(path[6:9]) % 3 for path in paths(first)}
    assert len(first) == 18, "all of this kind that have no label"
    assert f"{CLASSES[kind]}?  18 look-alikes" in screen_text(pilot.app)
    await press(pilot, "enter")
    found = class_names(dataset)
    assert {found[path] for path in paths(first)} == {f"{CLASSES[kind]} page"}
    assert "18 images labelled" in screen_text(pilot.app)
    assert "24 of 60 labelled" in screen_text(pilot.app)
    second = page_of(pilot)
    assert not set(second.keys) & set(first.keys)
    assert int(second.keys[0].path[6:9]) % 3 != kind


def test_a_page_says_how_many_look_alikes_are_left(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=SMALL) as pilot:
            give_head(pilot)
            await press(pilot, OPEN)
            await wait_until(
                pilot, lambda: f"{len(page_of(pilot))} of 18 look-alikes" in screen_text(pilot.app)
            )
            first = page_of(pilot)
            while len(page_of(pilot)) == len(first):
                await press(pilot, "enter")
            await wait_until(
                pilot, lambda: f"{18 % len(first)} look-alikes, the last" in screen_text(pilot.app)
            )

    run(test())


@on_pages
async def test_after_many_labels_by_pages_an_audit_is_offered(
    pilot: AppPilot, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_offer, "MANY_LABELS", 30)
    await press(pilot, "enter")
    await pilot.pause()
    assert "since the last audit" not in told(pilot.app)
    await press(pilot, "enter")
    sentence = "36 labels by pages since the last audit: Esc, then Ctrl+D, audits some."
    await wait_until(pilot, lambda: sentence in told(pilot.app))


@pytest.mark.parametrize("audited", [False, True])
def test_labels_by_pages_of_earlier_days_count_until_they_are_audited(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, audited: bool
) -> None:
    monkeypatch.setattr(audit_offer, "MANY_LABELS", 30)
    keys = [ImageKey(name_of(number)) for number in range(6, 26)]
    with LabelStore(dataset / "mia" / "labels.db") as store:
        store.set_labels([(key, 1) for key in keys], source="page")
        if audited:
            store.draw_audit([Draw(keys[0], 1)], kind="label", drawn_from=26)
            store.answer_audit([(keys[0], 1)])

    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            await press(pilot, OPEN)
            await press(pilot, "enter")
            if audited:
                await done(pilot)
                assert "since the last audit" not in told(pilot.app)
            else:
                await wait_until(pilot, lambda: "labels by pages since the last audit" in told(pilot.app))

    run(test())


@on_pages
async def test_a_letter_leads_through_the_next_best_classes_to_none(pilot: AppPilot, dataset: Path) -> None:
    page, key = page_of(pilot), letter(pilot, 3)
    guesses = [guess.class_id for guess in page.images[3].guesses]
    shares = [guess.probability for guess in page.images[3].guesses]
    assert len(guesses) == 3 and shares == sorted(shares, reverse=True)  # type: ignore[type-var]
    names = {1: "round", 2: "long", 3: "odd"}
    assert f" {key} " in caption(pilot, 3) and names[guesses[0]] not in caption(pilot, 3)
    await press(pilot, key)
    assert page.position == 3, "the cursor comes along: the key of a class corrects it"
    assert f" {key} {names[guesses[1]]}" in caption(pilot, 3)
    assert "1 of other classes" in screen_text(pilot.app)
    await press(pilot, key)
    assert f" {key} {names[guesses[2]]}" in caption(pilot, 3)
    await press(pilot, key)
    assert f" {key} none" in caption(pilot, 3) and "1 left out" in screen_text(pilot.app)
    assert not labels_in(dataset).keys() & set(paths(page)), "nothing is written before the page is taken"
    await press(pilot, key)
    assert page.class_of(3) == page.class_id


@on_pages
async def test_what_the_person_corrected_is_theirs_and_what_was_left_out_gets_no_label(
    pilot: AppPilot, dataset: Path
) -> None:
    page = page_of(pilot)
    await press(pilot, letter(pilot, 0), letter(pilot, 5), "delete")
    second = page.images[0].guesses[1].class_id
    await press(pilot, "enter")
    found = labels_in(dataset)
    assert (found[page.keys[0].path].class_id, found[page.keys[0].path].source) == (second, "person")
    assert page.keys[5].path not in found
    others = [found[path] for path in paths(page)[1:5] + paths(page)[6:]]
    assert {(one.class_id, one.source) for one in others} == {(page.class_id, "page")}


@on_pages
async def test_the_key_of_a_class_gives_it_to_the_cursor_or_to_marked_images(pilot: AppPilot) -> None:
    page = page_of(pilot)
    others = [number for number in (1, 2, 3) if number != page.class_id]
    await press(pilot, "right", str(others[0]))
    assert page.class_of(1) == others[0]
    await press(pilot, "right", "space", "right", "space")
    assert "2 marked images" in screen_text(pilot.app)
    await press(pilot, "home", str(others[1]))
    assert [page.class_of(position) for position in range(4)] == [
        page.class_id,
        others[0],
        *others[1:] * 2,
    ]
    assert not page.marked
    await press(pilot, letter(pilot, 2), str(page.class_id))
    assert page.class_of(2) == page.class_id


@on_pages
async def test_once_all_images_are_labelled_it_is_said_what_to_do_next(pilot: AppPilot) -> None:
    while pages_of(pilot).page is not None:
        await press(pilot, "enter")
    text = screen_text(pilot.app)
    assert "No page is left: all images have a label or are skipped." in text
    assert "Esc goes back; then Ctrl+D checks and audits the labels, Ctrl+T trains." in text


@on_pages
async def test_marked_images_that_got_no_class_are_left_out(pilot: AppPilot, dataset: Path) -> None:
    page = page_of(pilot)
    await press(pilot, "space")
    assert "takes 17" in screen_text(pilot.app)
    await press(pilot, "enter")
    assert page.keys[0].path not in labels_in(dataset)
    while pages_of(pilot).page is not None:
        assert page.keys[0] not in page_of(pilot).keys
        await press(pilot, "enter")
    assert "No page is left." in screen_text(pilot.app)
    assert "1 image left out or passed" in screen_text(pilot.app)
    await press(pilot, OPEN)
    assert page_of(pilot).keys == page.keys[:1], "asked for, it comes again"
    await press(pilot, "delete", "enter", "escape", OPEN)
    assert page_of(pilot).keys == page.keys[:1], "from another screen as well"


def test_a_page_is_one_step_and_comes_back_when_it_is_undone(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            before = class_names(dataset)
            await press(pilot, OPEN)
            first = page_of(pilot)
            await press(pilot, letter(pilot, 2), "enter")
            second, after = page_of(pilot), class_names(dataset)
            await press(pilot, "enter")
            await press(pilot, "ctrl+z")
            assert page_of(pilot) is second
            assert class_names(dataset) == after
            await press(pilot, "ctrl+z")
            assert page_of(pilot) is first, "with what was corrected on it"
            assert page_of(pilot).class_of(2) != first.class_id
            assert class_names(dataset) == before
            assert "6 of 60 labelled" in screen_text(pilot.app)
            await press(pilot, "ctrl+y")
            assert class_names(dataset) == after
            assert page_of(pilot) is not first

    run(test())


@on_pages
async def test_undoing_something_else_leaves_the_page_as_it_is(pilot: AppPilot) -> None:
    first = page_of(pilot)
    await press(pilot, "enter", "escape")
    label_screen: Any = pilot.app.screen
    label_screen.session.go_to(label_screen.session.listing.row(first.keys[0]))
    await press(pilot, str(first.class_id % 3 + 1), "f1", OPEN)
    second = page_of(pilot)
    await press(pilot, "ctrl+z")
    assert page_of(pilot) is second, "the image was labelled by itself"
    await press(pilot, "ctrl+z")
    assert page_of(pilot) is first


@on_pages
async def test_a_page_that_is_wrong_as_a_whole_is_passed_by_one_key(pilot: AppPilot, dataset: Path) -> None:
    first, before = page_of(pilot), class_names(dataset)
    await press(pilot, "pagedown")
    assert page_of(pilot).class_id != first.class_id, "its class waits"
    assert class_names(dataset) == before
    await press(pilot, "pageup")
    assert page_of(pilot) is first
    await press(pilot, "pagedown", "pagedown", "pagedown")
    assert "left out or passed" in screen_text(pilot.app)
    await press(pilot, "pageup")
    assert page_of(pilot) is not first


@on_pages
async def test_other_classes_come_by_a_key_or_from_the_list(pilot: AppPilot) -> None:
    first = page_of(pilot).class_id
    order = [1, 2, 3]
    await press(pilot, "tab")
    assert page_of(pilot).class_id == order[first % 3]
    await press(pilot, "shift+tab", "shift+tab")
    assert page_of(pilot).class_id == order[(first - 2) % 3]
    await press(pilot, "f5")
    assert "odd (18 images)" in screen_text(pilot.app)
    await pilot.press("o", "d", "d")
    await press(pilot, "enter")
    assert page_of(pilot).class_id == 3
    await press(pilot, "enter")
    assert "No image is left that is suggested to be odd." in screen_text(pilot.app)
    await press(pilot, "f5")
    await press(pilot, "enter")
    assert page_of(pilot).class_id in (1, 2)


@on_pages
async def test_keys_and_clicks_are_counted_for_each_image(pilot: AppPilot) -> None:
    assert "keys an image" not in screen_text(pilot.app), "nothing was labelled here"
    await press(pilot, letter(pilot, 0), letter(pilot, 0), "right", "enter")
    assert f"{4 / 18:.2f} keys an image" in screen_text(pilot.app)
    await press(pilot, "ctrl+z", "enter")
    assert f"{6 / 18:.2f} keys an image" in screen_text(pilot.app), "what is undone has cost keys, too"


def test_classes_with_letters_leave_other_letters_to_the_tiles(tmp_path: Path) -> None:
    many = [*CLASSES, *(f"other {number}" for number in range(9))]
    dataset = clustered(tmp_path / "images", classes=many)

    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            await press(pilot, OPEN)
            page, screen = page_of(pilot), pilot.app.screen
            assert isinstance(screen, LookAlikesScreen)
            assert screen.letters.startswith("cdef"), "a and b belong to classes"
            await press(pilot, "b")
            assert page.class_of(0) == 12
            await press(pilot, "C")
            assert page.class_of(0) == page.images[0].guesses[1].class_id, (
                "a capital letter means the small one"
            )
            assert "c-t wrong" in screen_text(pilot.app)

    run(test())


@on_pages
async def test_a_click_gives_the_next_class_and_a_right_one_leaves_out(pilot: AppPilot) -> None:
    page, tiles = page_of(pilot), pilot.app.screen.query_one(Mosaic)
    layout = tiles.tile_layout
    spot = layout.x(2) + 4, 3
    await pilot.click(tiles, offset=spot)
    await done(pilot)
    assert page.class_of(2) == page.images[2].guesses[1].class_id and page.position == 2
    await pilot.click(tiles, offset=(4, 3), button=3)
    await done(pilot)
    assert page.class_of(0) is None
    await pilot.click(tiles, offset=(4, 3), control=True)
    await done(pilot)
    assert page.marked == {0}


@on_pages
async def test_a_double_click_opens_the_image_and_escape_comes_back_to_the_page(pilot: AppPilot) -> None:
    page, tiles = page_of(pilot), pilot.app.screen.query_one(Mosaic)
    await press(pilot, letter(pilot, 1))
    given = page.class_of(1)
    await pilot.click(tiles, offset=(tiles.tile_layout.x(1) + 4, 3), times=2)
    await done(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, LabelScreen) and screen.session.current == page.keys[1]
    await press(pilot, "escape")
    assert page_of(pilot) is page
    assert page.class_of(1) == given, "the first click of the two has changed nothing"
    await press(pilot, "ctrl+o", "f1", "escape")
    assert page_of(pilot) is page
    assert "labelled" not in caption(pilot, 1)
    await press(pilot, letter(pilot, 1))
    assert "This image is labelled" in screen_text(pilot.app)
    await press(pilot, "escape")
    assert isinstance(pilot.app.screen, LabelScreen)
    await press(pilot, "escape")
    assert "There is nothing to go back to" in screen_text(pilot.app)


def test_from_the_grid_the_way_back_leads_to_the_page_and_then_to_labelling(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            await press(pilot, "f7", OPEN)
            page = page_of(pilot)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, GridScreen)
            await press(pilot, OPEN, "right", "ctrl+o")
            assert isinstance(pilot.app.screen, LabelScreen)
            await press(pilot, "escape")
            assert page_of(pilot).keys == page.keys
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, LabelScreen)

    run(test())


def test_the_images_most_like_one_get_its_class(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            await press(pilot, "end", LIKE)  # 059, of the third kind
            page = page_of(pilot)
            assert page.keys[0].path == name_of(59), "it has no label itself"
            assert page.class_id == 1, "the current class"
            assert {int(path[6:9]) % 3 for path in paths(page)[:18]} == {2}
            assert f"most like {name_of(59)}" in screen_text(pilot.app)
            await press(pilot, "escape")
            screen: Any = pilot.app.screen
            keys = [ImageKey(name_of(59))]
            best, sure = np.array([2], np.int32), np.array([0.9], np.float32)
            screen.controller.suggest(ModelSuggestions("m", tuple(CLASSES), keys, best, sure), None)
            await press(pilot, LIKE)
            assert page_of(pilot).class_id == 3, "the suggested class"
            await press(pilot, "escape", "home", "right", LIKE)  # 001, which is long
            page = page_of(pilot)
            assert page.class_id == 2 and name_of(1) not in paths(page)
            assert {int(path[6:9]) % 3 for path in paths(page)[:18]} == {1}
            await press(pilot, "enter")
            assert class_names(dataset)[page.keys[0].path] == "long page"

    run(test())


@on_pages
async def test_the_like_of_a_tile_come_over_its_page_and_escape_leads_back(pilot: AppPilot) -> None:
    page = page_of(pilot)
    await press(pilot, "right", LIKE)
    assert page_of(pilot).like == page.keys[1]
    await press(pilot, "escape")
    assert page_of(pilot) is page
    await press(pilot, "escape")
    assert isinstance(pilot.app.screen, LabelScreen)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    dataset = clustered(tmp_path / "images", labelled=0)

    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            head = give_head(pilot)
            await press(pilot, OPEN)
            assert isinstance(pilot.app.screen, LabelScreen)
            assert "once images of two classes have labels" in screen_text(pilot.app)
            await press(pilot, LIKE)
            assert page_of(pilot).like == ImageKey(name_of(0)), "likeness needs no labels"
            await press(pilot, "escape")
            head.missing = "The network has not looked at the images yet."
            for key in (OPEN, LIKE):
                await press(pilot, key)
                assert head.missing in screen_text(pilot.app)

    run(test())


def test_flagged_skipped_unreadable_and_labelled_images_stay_out(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            screen: Any = pilot.app.screen
            await screen.controller.flag([ImageKey(name_of(9))], True)
            await screen.controller.skip([ImageKey(name_of(12))], True)
            screen.session.set_problem(15, "it is damaged")
            await press(pilot, OPEN)
            seen = set()
            for _ in range(3):
                seen |= set(paths(page_of(pilot)))
                await press(pilot, "enter")
            assert pages_of(pilot).page is None
            assert len(seen) == 51 and not seen & {name_of(9), name_of(12), name_of(15)}

    run(test())


@on_pages
async def test_an_image_that_somebody_labels_meanwhile_keeps_that_label(
    pilot: AppPilot, dataset: Path
) -> None:
    page = page_of(pilot)
    other = CLASSES[page.class_id % 3]
    label(dataset, other, [page.keys[0].path], annotator="bob")
    await wait_until(pilot, lambda: other in caption(pilot, 0))
    assert "takes 17" in screen_text(pilot.app)
    await press(pilot, "enter")
    assert class_names(dataset)[page.keys[0].path] == f"{other} person"


def test_images_that_somebody_else_has_in_work_stay_out_and_those_of_the_page_are_told(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            screen: Any = pilot.app.screen
            theirs = [ImageKey(name_of(number)) for number in range(6, 27)]
            with LabelStore(dataset / "mia" / "labels.db", annotator="bob") as store:
                store.take_leases(theirs, "bob's program")
            await wait_until(pilot, lambda: bool(screen.session.has_leased))
            await press(pilot, OPEN)
            page = page_of(pilot)
            assert page.keys and not set(page.keys) & set(theirs)

            def mine() -> set[ImageKey]:
                with LabelStore(dataset / "mia" / "labels.db") as store:
                    return {lease.image for lease in store.leases() if lease.annotator == "ann"}

            await wait_until(pilot, lambda: mine() >= set(page.keys))
            await press(pilot, "enter")
            second = page_of(pilot)
            await wait_until(pilot, lambda: mine() == set(second.keys))

    run(test())


def test_only_images_that_are_shown_come_on_pages(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            give_head(pilot)
            screen: Any = pilot.app.screen
            screen.session.set_filter(Filter(text="image-01"))
            await press(pilot, OPEN)
            assert all(path.startswith("image-01") for path in paths(page_of(pilot)))
            assert (
                "image-01]" in screen_text(pilot.app) or "image-01" in screen_text(pilot.app).splitlines()[0]
            )

    run(test())


def test_a_small_window_has_smaller_pages_and_all_of_a_page_is_seen(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=SMALL) as pilot:
            give_head(pilot)
            await press(pilot, OPEN)
            tiles: Any = pilot.app.screen.query_one(Mosaic)
            count = len(page_of(pilot))
            assert 6 <= count < 18 and tiles.seen == range(count)
            await press(pilot, "+")
            assert len(page_of(pilot)) < count
            await press(pilot, "-")
            assert len(page_of(pilot)) >= count - 1
            await press(pilot, "enter")
            assert len(page_of(pilot)) == tiles.per_page

    run(test())


@on_pages
async def test_keys_pressed_fast_act_on_the_page_that_was_there(pilot: AppPilot, dataset: Path) -> None:
    first = page_of(pilot)
    for key in (letter(pilot, 1), letter(pilot, 2), "enter", "enter"):
        pilot.app.post_message(Key(key, key if len(key) == 1 else None))
    await wait_until(pilot, lambda: len(labels_in(dataset)) > 6 + 18)
    await done(pilot)
    found = labels_in(dataset)
    assert found[first.keys[1].path].source == found[first.keys[2].path].source == "person"
    assert len(found) == 6 + 18 + 18


@on_pages
async def test_nothing_is_written_when_the_disk_is_full_and_the_page_stays(
    pilot: AppPilot, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(pilot)
    before = class_names(dataset)

    def fail(*args: object, **options: object) -> int:
        from mia_tui.errors import StoreError

        raise StoreError("The disk is full.", "Make room.")

    monkeypatch.setattr("mia_tui.tui.look_alikes.pages._write_page", fail)
    await press(pilot, "enter")
    assert page_of(pilot) is page and class_names(dataset) == before
    await wait_until(pilot, lambda: "The disk is full." in screen_text(pilot.app))


def test_the_users_keys_count_on_pages(dataset: Path) -> None:
    context = make_context(
        user=UserConfig(keys={"look_alikes.take": ("f6",), "look_alikes": ("f11",)}, toast_s=600)
    )

    async def test() -> None:
        async with opened(dataset, size=WIDE, context=context) as pilot:
            give_head(pilot)
            await press(pilot, "f11")
            assert "F6 takes 18" in screen_text(pilot.app)
            await press(pilot, "f6")
            assert len(labels_in(dataset)) == 24

    run(test())


@on_pages
async def test_a_key_that_is_held_down_takes_no_page_that_nobody_has_seen(
    pilot: AppPilot, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "READ_S", 60.0)
    first = page_of(pilot)
    for _ in range(4):
        pilot.app.post_message(Key("enter", None))
    await done(pilot)
    second = page_of(pilot)
    assert not set(second.keys) & set(first.keys)
    assert set(paths(first)) <= set(labels_in(dataset))
    assert not set(paths(second)) & set(labels_in(dataset))
    assert "look at it before you take it" in screen_text(pilot.app)
    monkeypatch.setattr(commands, "READ_S", 0.0)
    await press(pilot, "enter")
    assert set(paths(second)) <= set(labels_in(dataset))


def test_the_app_is_closed_while_the_next_page_is_looked_for(dataset: Path) -> None:
    """Then nobody answers any more what is asked about the images."""

    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            head = give_head(pilot)
            await press(pilot, OPEN)

            async def ask(work: object) -> None:
                raise DataError("The images have not been looked at yet.")

            head.ask = ask  # type: ignore[method-assign, assignment]
            await pages_of(pilot).look_ahead(24)
            assert pages_of(pilot).ahead == () and pages_of(pilot).page is not None

    run(test())
