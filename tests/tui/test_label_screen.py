"""The labelling screen by its keys: what they write, where they go, what is to be seen then."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tui_support import (
    NEWS_WITHIN_S,
    burst,
    label,
    make_context,
    make_images,
    opened,
    press,
    run,
    screen_lines,
    screen_text,
    settle,
    told,
    type_text,
    wait_until,
)

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.tui.home.screen import HomeScreen
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.pictures.image_view import ImageView

WIDE = 130, 42


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 6, classes=("round", "flat"))


def names_in(dataset: Path) -> dict[str, str]:
    """Class names by path."""
    store = LabelStore.open_existing(dataset / "mia" / "labels.db")
    if store is None:
        return {}
    with store:
        names = {image_class.id: image_class.name for image_class in store.classes(archived=True)}
        return {key.path: names[found.class_id] for key, found in store.labels().items()}


def has_fingerprint(dataset: Path, path: str) -> bool:
    store = LabelStore.open_existing(dataset / "mia" / "labels.db")
    assert store is not None
    with store:
        return store.stored_files()[path].hash is not None


def test_f2_labels_and_goes_on_and_f1_labels_and_stays(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f2", "f1")
            assert "2/6" in screen_text(pilot.app) and "round" in screen_lines(pilot.app)[0]
        assert names_in(cells) == {"image-000.png": "round", "image-001.png": "round"}

    run(test())


def test_equals_and_space_do_what_f1_and_f2_do(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "space", "=")
            assert "2/6" in screen_text(pilot.app)
        assert list(names_in(cells)) == ["image-000.png", "image-001.png"]

    run(test())


def test_keys_that_come_in_one_burst_are_obeyed_in_their_order(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await burst(pilot, "f2", "2", "f2", "1", "f2", "2", "f1")
        assert names_in(cells) == {
            "image-000.png": "round",
            "image-001.png": "flat",
            "image-002.png": "round",
            "image-003.png": "flat",
        }

    run(test())


def test_a_class_key_only_picks_and_in_auto_mode_assigns_and_goes_on(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "2")
            assert names_in(cells) == {} and "1/6" in screen_text(pilot.app)
            await press(pilot, "f1")
            await press(pilot, "f9", "1", "2")
            assert "3/6" in screen_text(pilot.app)
        assert names_in(cells) == {"image-000.png": "round", "image-001.png": "flat"}

    run(test())


def test_a_letter_that_no_class_has_does_nothing_but_say_so(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "x")
            assert "No class has the key x" in screen_text(pilot.app)
        assert names_in(cells) == {}

    run(test())


def test_looking_writes_nothing(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "cells", 3)

    async def test() -> None:
        async with opened(folder) as pilot:
            await press(pilot, "right", "end", "home", "+", "}", "*", "f3", "ctrl+z", "f9")
        assert sorted(path.name for path in folder.iterdir()) == [f"image-{n:03}.png" for n in range(3)]

    run(test())


def test_without_a_class_the_first_key_asks_for_one_and_labels(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "cells", 3)

    async def test() -> None:
        async with opened(folder) as pilot:
            await pilot.press("f2")
            await wait_until(pilot, lambda: "What is the first one called?" in screen_text(pilot.app))
            await type_text(pilot, "red cell")
            await pilot.press("enter")
            await wait_until(pilot, lambda: "2/3" in screen_text(pilot.app))
        assert names_in(folder) == {"image-000.png": "red cell"}

    run(test())


def test_undo_goes_to_the_image_concerned_across_images_and_restarts(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f2", "f2", "f2")
        async with opened(cells) as pilot:
            await press(pilot, "end")
            await press(pilot, "ctrl+z")
            text = screen_text(pilot.app)
            assert "3/6" in text and "no label" in text and "Undid" in text
            await press(pilot, "ctrl+z", "ctrl+z", "ctrl+z")
            assert "nothing of yours to undo" in screen_text(pilot.app)
            assert names_in(cells) == {}
            await press(pilot, "ctrl+y", "ctrl+y", "ctrl+y")
        assert len(names_in(cells)) == 3

    run(test())


def test_what_was_saved_is_not_said_twice_beside_the_word_about_the_last_command(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=(160, 30)) as pilot:
            await press(pilot, "f1")
            assert "image-000.png = " in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            assert screen_text(pilot.app).count("Undid") == 1
            assert " saved " in screen_text(pilot.app)

    run(test())


def test_what_a_command_says_is_shown_at_once_even_if_saving_took_long(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "right", "left")  # the first hint goes
            pilot.app.screen.command_is_slow(1)  # type: ignore[attr-defined]
            await pilot.pause()
            assert "Saving, 1 key waiting" in screen_text(pilot.app)
            await press(pilot, "left")
            assert "This is the first image" in screen_text(pilot.app)

    run(test())


def test_undo_shows_all_images_again_where_the_filter_hid_the_one_concerned(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f2")
            await press(pilot, "f5")
            await type_text(pilot, "images without")
            await pilot.press("enter")
            await settle(pilot)
            assert "1/5" in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            text = screen_text(pilot.app)
            assert "1/6" in text and "All images are shown; Esc shows those of before." in text
            await press(pilot, "escape")
            assert "Shown again" in screen_text(pilot.app) and "/6" in screen_text(pilot.app)

    run(test())


def test_undo_never_takes_back_what_somebody_else_did(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f2")
            label(cells, "flat", ["image-000.png"], annotator="bob")
            await press(pilot, "ctrl+z")
            assert "bob" in told(pilot.app)
        assert names_in(cells) == {"image-000.png": "flat"}

    run(test())


def test_what_others_label_appears_within_two_seconds(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            label(cells, "flat", ["image-000.png"], annotator="bob")
            await wait_until(pilot, lambda: "flat" in screen_lines(pilot.app)[0], timeout_s=NEWS_WITHIN_S)

    run(test())


def test_the_ends_of_the_list_are_said_and_never_wrap(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "left")
            assert "first image of the list" in screen_text(pilot.app)
            await press(pilot, "end", "f2")
            text = screen_text(pilot.app)
            assert "6/6" in text and "last image of the list" in text and "5 have no label" in text
        assert list(names_in(cells)) == ["image-005.png"]

    run(test())


def test_next_unlabelled_passes_over_labelled_and_skipped_images(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f2", "f4", "home", "f3")
            assert "3/6" in screen_text(pilot.app)
            await press(pilot, "ctrl+r")
            text = screen_text(pilot.app)
            assert "6/6" in text and "Continued from the end" in text

    run(test())


def test_clear_flag_and_note_are_kept(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f1", "delete", "!")
            assert "flagged" in screen_lines(pilot.app)[0]
            await pilot.press("ctrl+n")
            await wait_until(pilot, lambda: "Note on image-000.png" in screen_text(pilot.app))
            await type_text(pilot, "out of focus")
            await pilot.press("enter")
            await wait_until(pilot, lambda: "out of focus" in screen_text(pilot.app))
        with LabelStore(cells / "mia" / "labels.db") as store:
            mark = store.marks()[ImageKey("image-000.png")]
            assert (mark.flagged, mark.note, store.labels()) == (True, "out of focus", {})

    run(test())


def test_finding_files_shows_those_with_the_text_in_their_path(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+f")
            await type_text(pilot, "E-004")
            await pilot.press("enter")
            await settle(pilot)
            assert "1/1" in screen_text(pilot.app) and "image-004.png" in screen_text(pilot.app)

    run(test())


def test_a_class_is_found_by_typing(cells: Path) -> None:
    with LabelStore(cells / "mia" / "labels.db") as store:
        for number in range(60):
            store.add_class(f"kind {number}")

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "/")
            await type_text(pilot, "kind 55")
            await pilot.press("enter")
            await settle(pilot)
            await press(pilot, "f2")
        assert names_in(cells) == {"image-000.png": "kind 55"}

    run(test())


def test_an_image_that_cannot_be_read_says_why_and_labelling_goes_on(cells: Path) -> None:
    (cells / "image-000.png").write_bytes((cells / "image-000.png").read_bytes()[:60])

    async def test() -> None:
        async with opened(cells) as pilot:
            await wait_until(pilot, lambda: "cannot be shown" in screen_text(pilot.app))
            assert "damaged" in screen_text(pilot.app)
            await press(pilot, "f2")
            assert "2/6" in screen_text(pilot.app)
        assert list(names_in(cells)) == ["image-000.png"]

    run(test())


def test_frames_of_a_stack_are_images_of_their_own(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "cells", 1, classes=("round",))
    frames = [Image.fromarray(np.full((8, 8), 50 * n, np.uint8)) for n in range(3)]
    frames[0].save(folder / "stack.tif", save_all=True, append_images=frames[1:])

    async def test() -> None:
        async with opened(folder) as pilot:
            await press(pilot, "right", "]")
            assert "frame 2/3" in screen_text(pilot.app)
            await press(pilot, "f1", "]", "]")
            assert "no other frame" in screen_text(pilot.app)
        store = LabelStore.open_existing(folder / "mia" / "labels.db")
        assert store is not None
        with store:
            assert list(store.labels()) == [ImageKey("stack.tif", 1)]

    run(test())


def test_class_folders_are_taken_for_classes_only_when_the_person_says_so(discs: Path) -> None:
    async def test() -> None:
        async with opened(discs, size=WIDE) as pilot:
            await wait_until(pilot, lambda: "Are these folders classes?" in screen_text(pilot.app))
            assert "red (24)" in screen_text(pilot.app)
            assert not (discs.parent / "discs.mia").exists()
            await pilot.press("y")
            await pilot.pause()
            assert names_in(discs.parent / "discs") == {}, "a letter may have been meant for a class"
            await pilot.press("right", "enter")
            await wait_until(pilot, lambda: "36 images labelled by their folders" in screen_text(pilot.app))
        assert (discs.parent / "discs.mia" / "labels.db").is_file(), "beside the folders, not among them"
        assert not (discs / "mia").exists()

    run(test())


def test_no_to_class_folders_leaves_them_alone(discs: Path) -> None:
    async def test() -> None:
        async with opened(discs, size=WIDE) as pilot:
            await wait_until(pilot, lambda: "Are these folders classes?" in screen_text(pilot.app))
            await pilot.press("enter")
            await settle(pilot)
            assert "0 labelled" in screen_text(pilot.app)
        assert not (discs.parent / "discs.mia").exists()

    run(test())


def test_new_files_of_class_folders_get_their_class_at_the_next_opening(discs: Path) -> None:
    async def test() -> None:
        async with opened(discs, size=WIDE) as pilot:
            await wait_until(pilot, lambda: "Are these folders classes?" in screen_text(pilot.app))
            await pilot.press("right", "enter")
            await wait_until(pilot, lambda: "36 labelled" in screen_text(pilot.app))
            await settle(pilot)
            await press(pilot, "delete")
        os.link(discs / "blue" / "cell-0.png", discs / "red" / "cell-new.png")
        async with opened(discs, size=WIDE) as pilot:
            await wait_until(pilot, lambda: "1 new image got the class" in told(pilot.app))
            assert "36 labelled" in screen_text(pilot.app), "what was taken away stays away"

    run(test())


def test_a_file_that_was_renamed_keeps_its_label_and_that_is_said(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f1")
            screen = pilot.app.screen
            screen._busy_at = 0.0  # type: ignore[attr-defined]  # as if nobody had pressed a key for a while
            await wait_until(pilot, lambda: has_fingerprint(cells, "image-000.png"))
        (cells / "image-000.png").rename(cells / "renamed.png")
        async with opened(cells, size=WIDE) as pilot:
            await wait_until(pilot, lambda: "1 file was moved; the labels followed" in told(pilot.app))
        assert names_in(cells) == {"renamed.png": "round"}

    run(test())


def test_the_app_returns_to_the_image_where_one_was(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "right", "right", "right")
            await pilot.press("ctrl+q")
            await wait_until(pilot, lambda: pilot.app._exit)
        async with opened(cells) as pilot:
            assert "4/6" in screen_text(pilot.app)

    run(test())


def test_the_first_start_says_which_keys_label(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            assert "F1 or = assigns; F2 or Space assigns and moves on" in screen_text(pilot.app)
            await press(pilot, "right")
            await pilot.press("ctrl+q")
            await wait_until(pilot, lambda: pilot.app._exit)
        async with opened(cells, size=WIDE) as pilot:
            assert "F1 or = assigns; F2 or Space assigns and moves on" not in screen_text(pilot.app)

    run(test())


def test_the_users_keys_replace_those_of_the_table(cells: Path) -> None:
    user = UserConfig(keys={"assign_next": ("f12", ";")})

    async def test() -> None:
        async with opened(cells, context=make_context(user=user)) as pilot:
            await press(pilot, "f2")
            assert names_in(cells) == {}
            await press(pilot, "f12", ";")
        assert len(names_in(cells)) == 2

    run(test())


@pytest.mark.parametrize("kind", ["label", "suggestion", "none"])
def test_without_colours_the_frame_still_tells_what_it_means(cells: Path, kind: str) -> None:
    from mia_tui.tui.classes.class_frame import Framing

    async def test() -> None:
        context = make_context(colours="none", graphics="none", unicode=False)
        async with opened(cells, context=context) as pilot:
            frame = pilot.app.screen.query_one("ClassFrame")
            frame.show(Framing("round", kind, "#e69f00"))  # type: ignore[attr-defined, arg-type]
            await pilot.pause()
            top = screen_lines(pilot.app)[0]
            assert "round" in top
            assert {"label": "###", "suggestion": "== ==", "none": "....."}[kind] in top
            assert screen_text(pilot.app).isascii()

    run(test())


def test_every_command_of_the_table_is_one_of_the_screen(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            known = set(pilot.app.screen.commands.by_name)  # type: ignore[attr-defined]
            assert {action.id for action in SCOPES["label"].actions} - known == {
                "command_palette",
                "manual",
                "quit",
            }
            assert known <= {action.id for action in SCOPES["label"].actions}

    run(test())


def test_letters_and_digits_belong_to_classes_alone() -> None:
    keys = [key for action in SCOPES["label"].actions for key in action.keys]
    assert not [key for key in keys if len(key) == 1 and key.isalnum()]
    assert len(keys) == len(set(keys)), "one key starts one command"


def test_undo_goes_to_my_image_whatever_others_labelled_meanwhile(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "right", "right", "right", "f1")
            label(cells, "flat", ["image-000.png"], annotator="bob")
            await press(pilot, "ctrl+z")
            assert "4/6" in screen_text(pilot.app)
        assert names_in(cells) == {"image-000.png": "flat"}

    run(test())


def test_the_labels_of_somebody_who_is_first_appear_beside_class_folders(discs: Path) -> None:
    """Before the first label, nobody knows whether it will lie in the dataset or beside it."""

    async def test() -> None:
        async with opened(discs, size=WIDE) as pilot:
            await wait_until(pilot, lambda: "Are these folders classes?" in screen_text(pilot.app))
            await pilot.press("enter")
            await settle(pilot)
            with LabelStore(discs.parent / "discs.mia" / "labels.db", annotator="bob") as store:
                found = store.add_class("blue")
                store.set_labels([(ImageKey("blue/cell-0.png"), found.id)], source="person")
            await wait_until(pilot, lambda: "1 labelled" in screen_text(pilot.app))

    run(test())


def test_a_state_named_for_one_dataset_is_not_that_of_the_next(cells: Path, tmp_path: Path) -> None:
    other = make_images(tmp_path / "other", 6)
    context = replace(make_context(), state=tmp_path / "labels-of-cells")

    async def test() -> None:
        async with opened(cells, context=context) as pilot:
            app = pilot.app
            app.on_home_screen_opened(HomeScreen.Opened(other, None))  # type: ignore[attr-defined]
            await settle(pilot)
            assert app.screen.controller.state.root == other / "mia"  # type: ignore[attr-defined]

    run(test())


def test_a_filter_shows_another_image_afresh(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "+", "+", "ctrl+f")
            await type_text(pilot, "004")
            await pilot.press("enter")
            await settle(pilot)
            assert pilot.app.screen._view_settings.display.zoom == 1  # type: ignore[attr-defined]

    run(test())


def test_names_in_messages_and_cards_steer_nothing(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            pilot.app.screen.notify("run \x1b]0;evil\x07")
            assert "\x1b" not in told(pilot.app)
            pilot.app.screen.query_one(ImageView).show_card("Loading \x1b[2J.png")
            await pilot.pause()
            assert "\\x1b[2J.png" in screen_text(pilot.app)

    run(test())


def test_a_suggestion_that_replaces_a_label_says_so_and_undo_brings_the_label_back(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            session: LabelSession = pilot.app.screen.session  # type: ignore[attr-defined]
            key = session.listing.key(0)
            await press(pilot, "1", "f1")
            before = names_in(cells)
            session.set_suggestions(
                ModelSuggestions(
                    "resnet18", ("round", "flat"), [key], np.array([1], np.int32), np.array([0.9], np.float32)
                )
            )
            await press(pilot, "enter")
            assert names_in(cells) != before
            assert f"replaced {before[key.path]} of" in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            assert names_in(cells) == before

    run(test())
