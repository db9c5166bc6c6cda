"""Decides which pictures of a mosaic are painted when, and writes their pixels behind their cells.

A picture is written in one piece: blank cells, and behind the last of them its pixels. Blank cells that are written
later erase them (sixel, iTerm2's) or not (kitty's, which lie where they were placed until they are hidden). What a
message or a dialog has erased is painted again when that is gone. At most as many pictures are on their way as the
connection takes in a moment.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.geometry import Region

from mia_tui.dataset.model import ImageKey
from mia_tui.terminal.model import Picture
from mia_tui.tui.mosaic.tile_pictures import TilePictures, cost_of
from mia_tui.tui.pictures.cache import PictureResult
from mia_tui.tui.pictures.flow_control import ASK, FlowControl
from mia_tui.tui.pictures.image_view import around

if TYPE_CHECKING:
    from mia_tui.tui.mosaic.mosaic import Mosaic

# The time that pictures may be on their way, the first ones of a page and finer ones: a key's answer waits for it.
_FIRST_S, _PART_S = 0.1, 0.05
_AHEAD_BYTES = 1 << 18  # sent at once while there is nothing else to do
_TRIES = 2  # so often a picture is painted again that something has erased


class TilePainter:
    """Paints the pictures of one mosaic.

    Args:
        mosaic: Where they are painted.
        pictures: Makes them.
        flow_control: Told about all that goes out.

    Attributes:
        chosen: What is to be seen in each tile, by image.
        has_pixels: Whether pictures are more than text.
        stays: Whether pictures stay where they are until they are hidden, whatever is written there.
    """

    def __init__(self, mosaic: "Mosaic", pictures: TilePictures, flow_control: FlowControl) -> None:
        self._mosaic, self._pictures, self._flow_control = mosaic, pictures, flow_control
        terminal = pictures.terminal
        self.has_pixels = terminal.graphics in ("kitty", "iterm2", "sixel")
        self.stays = terminal.graphics == "kitty" and not terminal.multiplexer
        self.chosen: dict[ImageKey, PictureResult] = {}
        # Whose pixels are in the terminal, where they belong.
        self._intact: dict[ImageKey, PictureResult] = {}
        self._kept: set[ImageKey] = set()  # to be refined: what is there stays until the pixels have come
        self._tries: dict[ImageKey, int] = {}
        self._covered: Sequence[Region] | None = None  # where messages lie; None: not looked yet
        self._is_withdrawn = True
        self._is_painting = self._is_followed = False
        self._give_back: Callable[[], None] = lambda: None

    # What the mosaic tells

    def come_back(self) -> None:
        """No other screen lies over it any more."""
        if not self._is_withdrawn:
            return
        self._is_withdrawn = self._is_painting = False
        self._give_back = self._flow_control.take_over(
            lambda: self._mosaic.call_later(self.advance), lambda number: self._refused(number)
        )
        self._tries.clear()

    def withdraw(self) -> None:
        """Another screen lies over it: kitty's pictures have to be removed explicitly."""
        if self._is_withdrawn:
            return
        self._is_withdrawn = True
        self._give_back()
        self._mosaic.write(self._pictures.held.hiding_others())
        self._intact.clear()
        self._kept.clear()
        if self._flow_control.is_slow:
            self.chosen.clear()
        self._pictures.rest()

    def forget(self) -> None:
        """The terminal holds no pictures any more."""
        self._pictures.held.forget()
        self._intact.clear()
        self._mosaic.refresh()

    def moved(self, *, anew: bool) -> None:
        """Other tiles are in view; `anew`: of another size, or others altogether."""
        self._tries.clear()
        self._intact.clear()
        self._kept.clear()
        keys = self._mosaic.keys_seen
        if anew or not self.stays:
            self.chosen.clear()
        else:
            self.chosen = {key: self.chosen[key] for key in keys if key in self.chosen}
        self._choose_first(keys)
        self._follow()

    @property
    def is_complete(self) -> bool:
        """Whether all that is in view is painted as finely as possible."""
        keys = self._mosaic.keys_seen
        return not self._is_painting and all(key in self.chosen for key in keys) and not self._due(keys)

    # Which picture is painted when

    def _choose_first(self, keys: Sequence[ImageKey]) -> None:
        """What is painted together with the frames of tiles; the others follow."""
        is_busy, held = self._flow_control.busy, self._pictures.held
        room = self._flow_control.budget(_FIRST_S)
        for key in keys:
            result = None if key in self.chosen else self._pictures.best(key, refined=False)
            if result is None or (is_busy and not self._costs_nothing(result)):
                continue
            if room is not None:
                room -= cost_of(result, held)
                if room < 0:
                    break
            self.chosen[key] = result

    def advance(self) -> None:
        """Paint what is made, as much as the connection takes now."""
        if self._is_painting or self._is_followed or self._flow_control.busy or not self._mosaic.is_seen:
            return
        if self._is_withdrawn:  # a dialog is closed, and `come_back` has not had its turn
            return
        due = self._as_much_as_fits(self._due(self._mosaic.keys_seen))
        if not due:
            self._send_ahead()
            return
        replaces = self.has_pixels and not self._pictures.held.is_used and not self._messages()
        for key, result in due:
            self._tries.pop(key, None)
            if replaces and key in self._intact and _same_place(self._intact[key], result):
                self._kept.add(key)
            self.chosen[key] = result
        self._is_painting = True
        self._mosaic.refresh(*(self._mosaic.region_of(key) for key, _ in due))
        self._mosaic.call_after_refresh(self._painted)

    def _due(self, keys: Sequence[ImageKey]) -> list[tuple[ImageKey, PictureResult]]:
        """What to paint: where anything is not painted at all, that; else what can be finer."""
        missing = [key for key in keys if key not in self.chosen]
        found = [
            (key, self._pictures.best(key, refined=not missing))
            for key in missing or keys
            if missing or not self._is_done(key)
        ]
        return [
            (key, result)
            for key, result in found
            if result is not None and result is not self.chosen.get(key)
        ]

    def _is_done(self, key: ImageKey) -> bool:
        """Whether nothing finer comes, and the file is as it was."""
        chosen = self.chosen[key]
        if chosen.picture is None or chosen.picture.is_coarse:
            return False
        best = self._pictures.best(key, refined=True)
        return best is None or best.stamp == chosen.stamp

    def _as_much_as_fits(
        self, due: list[tuple[ImageKey, PictureResult]]
    ) -> list[tuple[ImageKey, PictureResult]]:
        is_first = any(key not in self.chosen for key, _ in due)
        room = self._flow_control.budget(_FIRST_S if is_first else _PART_S)
        if room is None:
            return due
        for taken, (_, result) in enumerate(due):
            room -= cost_of(result, self._pictures.held)
            if room < 0:
                return due[: max(1, taken)]
        return due

    def _costs_nothing(self, result: PictureResult) -> bool:
        """Whether the terminal has it already."""
        picture = result.picture
        return picture is None or bool(picture.ahead and self._pictures.held.holds(picture))

    def _painted(self) -> None:
        """The tiles that were due have been written."""
        self._is_painting = False
        self._mosaic.call_later(self.advance)

    def _send_ahead(self) -> None:
        """kitty: send what is likely seen next while there is nothing else to do."""
        room, sent = self._flow_control.budget(_PART_S) or _AHEAD_BYTES, ""
        for picture in self._pictures.ahead():
            sent += self._pictures.held.sending(picture)
            if len(sent) >= room:
                break
        if sent:
            self._mosaic.write(sent + ASK)
            self._flow_control.sent(len(sent))

    def _refused(self, number: int) -> None:
        """kitty does not have a picture that it was told to show; it is sent again."""
        if not self._pictures.held.refused(number):
            return
        gone = [key for key, each in self._intact.items() if each.picture and not self._costs_nothing(each)]
        for key in gone:
            del self._intact[key]
        self._mosaic.call_later(self._mend)

    # While cells are written

    def row_is_written(self, key: ImageKey, picture: Picture, row: int) -> str:
        """The text of a row of a picture that is being written, with its pixels behind the last one."""
        text = picture.lines[row]
        if key in self._kept:
            text = around(picture, row) or text
        else:
            self.row_is_cut(key)
        return text + self._pixels(key, picture) if row == picture.panel.rows - 1 else text

    def row_is_cut(self, key: ImageKey) -> None:
        """Cells of a picture are written, which erases what was there."""
        if self.has_pixels and not self.stays and self._intact.pop(key, None) is not None:
            self._follow()

    def _pixels(self, key: ImageKey, picture: Picture) -> str:
        """What paints the pixels of a tile, now that its cells are written."""
        self._kept.discard(key)
        result, region = self.chosen.get(key), self._mosaic.region_of(key)
        if result is None or result.picture is not picture or not region or not self._mosaic.is_seen:
            return ""
        if not picture.graphics:
            self._went_out(picture.size_bytes)
            return ""
        if not self._mosaic.size.region.contains_region(region) or any(
            map(region.overlaps, self._messages())
        ):
            self._follow()
            return ""
        origin = self._mosaic.content_region
        place = f"\x1b[{origin.y + region.y + picture.y + 1};{origin.x + region.x + picture.x + 1}H"
        sequence = f"\x1b7{self._pictures.held.sending(picture)}{place}{picture.graphics}\x1b8"
        self._pictures.held.placed(picture)
        self._intact[key] = result
        self._tries.pop(key, None)
        self._went_out(len(sequence) + picture.size_bytes - len(picture.graphics))
        return sequence

    def _went_out(self, size: int) -> None:
        self._flow_control.sent_before(size)
        self._follow()

    # After that

    def _follow(self) -> None:
        if not self._is_followed:
            self._is_followed = True
            self._mosaic.call_after_refresh(self._after_paint)

    def _after_paint(self) -> None:
        """Hide what was replaced, ask whether all has arrived, and paint again what was erased."""
        self._is_followed, self._covered = False, None
        if self._is_withdrawn:
            return
        shown = [result.picture for result in self.chosen.values() if result.picture is not None]
        self._mosaic.write(self._pictures.held.hiding_others(shown))
        if self._flow_control.has_sent and self._mosaic.write(ASK):
            self._flow_control.sent(0)
        else:
            self._mosaic.call_later(self.advance)
        self._mend()

    def _mend(self) -> None:
        """Paint again what something has erased, unless a message still lies there."""
        if not self._mosaic.is_seen or self._is_painting:
            return
        due = []
        for key, result in self.chosen.items():
            if result.picture is None or not result.picture.graphics or key in self._intact:
                continue
            region = self._mosaic.region_of(key)
            if not any(map(region.overlaps, self._messages())) and self._tries.get(key, 0) < _TRIES:
                self._tries[key] = self._tries.get(key, 0) + 1
                due.append(region)
        if due:
            self._mosaic.refresh(*due)

    def _messages(self) -> Sequence[Region]:
        if self._covered is None:
            self._covered = self._mosaic.messages()
        return self._covered


def _same_place(before: PictureResult, after: PictureResult) -> bool:
    """Whether a picture covers the cells of the one before."""
    old, new = before.picture, after.picture
    if old is None or new is None:
        return False
    return (old.x, old.y, old.columns, old.rows) == (new.x, new.y, new.columns, new.rows)
