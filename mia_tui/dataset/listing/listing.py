"""All images of a dataset in order: a million of them in 100 MB, each found by its row or by its key.

A row is one image of a file: a frame, or a stack that is labelled as a whole; if
no file has several, rows and files are the same. Paths are bytes in one array,
each followed by a zero, which no file name can contain. Everything here is fast
enough to be called by a screen, unless its docstring says otherwise.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import UNKNOWN_SIZE, Column, ListingArrays, no_images
from mia_tui.dataset.listing.folders import Folder, folder_tree, is_below, parent_of
from mia_tui.dataset.listing.path_table import PathTable, match_files
from mia_tui.dataset.model import WHOLE_STACK, ImageFile, ImageKey, StackMode

Rows = NDArray[np.int32]


class Listing:
    """The images of a dataset in order; more can be added at the end.

    Args:
        arrays: From another listing's `arrays`; empty if left out.
    """

    def __init__(self, arrays: ListingArrays | None = None) -> None:
        arrays = no_images() if arrays is None else arrays
        self._paths = PathTable(arrays.names, arrays.ends)
        self._first_rows = Column(arrays.first_rows)
        self._sizes = Column(arrays.sizes)
        self._mtimes_ns = Column(arrays.mtimes_ns)
        self._turns = Column(arrays.folder_starts)
        self._stack_frames = Column(arrays.stack_frames)
        self._images = arrays.images
        self._folders: list[str] = []  # at each folder start, as far as they were needed
        self._by_time: Rows | None = None

    def append(self, part: ListingArrays) -> None:
        """Add files at the end; none of them may be listed yet. Takes no noticeable time."""
        files = len(self._paths)
        if not len(part.ends):
            return
        self._paths.append(part.names, part.ends)
        same_folder = files > 0 and parent_of(self._paths.path(files - 1)) == parent_of(
            self._paths.path(files)
        )
        self._turns.append(part.folder_starts[1 if same_folder else 0 :] + np.int32(files))
        self._first_rows.append(part.first_rows + np.int32(self._images))
        self._sizes.append(part.sizes)
        self._mtimes_ns.append(part.mtimes_ns)
        self._stack_frames.append(part.stack_frames)
        self._images += part.images
        self._by_time = None

    @property
    def arrays(self) -> ListingArrays:
        """Its arrays; not to be written to, and valid until the next `append`."""
        return ListingArrays(
            self._paths.names,
            self._paths.ends,
            self._first_rows.values,
            self._sizes.values,
            self._mtimes_ns.values,
            self._turns.values,
            self._images,
            self._stack_frames.values,
        )

    def __len__(self) -> int:
        return self._images

    @property
    def files(self) -> int:
        """Number of files that contain the images."""
        return len(self._paths)

    def key(self, row: int) -> ImageKey:
        """The image of a row.

        Raises:
            IndexError: If there is no such row; negative rows are not allowed.
        """
        file = self._file_of(row)
        return ImageKey(self._paths.path(file), self._frame(row, file))

    def keys(self, rows: Rows) -> list[ImageKey]:
        """The same for many existing rows; a hundred thousand take 100 ms."""
        files = self._first_rows.values.searchsorted(rows, side="right") - 1
        frames = rows - self._first_rows.values[files]
        frames[self._stack_frames.values[files] > 0] = WHOLE_STACK
        return list(map(ImageKey, self._paths.some(files), frames.tolist()))

    def path(self, row: int) -> str:
        return self._paths.path(self._file_of(row))

    def frame(self, row: int) -> int:
        """The number of the frame of a row; `WHOLE_STACK` where that is all of them."""
        return self._frame(row, self._file_of(row))

    @property
    def stack_mode(self) -> StackMode | None:
        """Whether stacks are listed as a whole; None if there is none."""
        if np.any(self._stack_frames.values):
            return "whole"
        return None if self.has_one_image_per_file else "frames"

    @property
    def has_one_image_per_file(self) -> bool:
        return self._images == len(self._paths)

    def is_stack(self, row: int) -> bool:
        """Whether the file of a row has several frames."""
        return self.frames_of(row) > 1

    def frames_of(self, row: int) -> int:
        """Number of frames of the file of a row."""
        file = self._file_of(row)
        return int(self._stack_frames.values[file]) or self._end_row(file) - int(
            self._first_rows.values[file]
        )

    def images_of(self, row: int) -> int:
        """Number of images in the file of a row: its frames, or one."""
        file = self._file_of(row)
        return self._end_row(file) - int(self._first_rows.values[file])

    def stacks_among(self, paths: Sequence[str]) -> dict[str, int]:
        """How many frames those of some files have that are listed and have several."""
        numbers = self._paths.numbers(paths)
        counts = np.maximum(self._counts(), self._stack_frames.values)
        return {
            path: int(counts[number])
            for path, number in zip(paths, numbers.tolist(), strict=True)
            if number >= 0 and counts[number] > 1
        }

    def stacks(self) -> dict[str, int]:
        """How many frames each file has that has several, by path."""
        counts = np.maximum(self._counts(), self._stack_frames.values)
        files = np.flatnonzero(counts > 1)
        return dict(zip(self._paths.some(files), counts[files].tolist(), strict=True))

    def row(self, key: ImageKey) -> int | None:
        """The row of an image; None if it is not listed."""
        file = self._paths.number(key.path)
        if file is None:
            return None
        if key.frame < 0 or self._stack_frames.values[file]:
            is_whole = key.frame == WHOLE_STACK and self._stack_frames.values[file]
            return int(self._first_rows.values[file]) if is_whole else None
        row = int(self._first_rows.values[file]) + key.frame
        return row if row < self._end_row(file) else None

    def rows(self, keys: Sequence[ImageKey]) -> Rows:
        """The row of each image, int32; -1 if it is not listed. A million take a second."""
        files = self._paths.numbers([key.path for key in keys])
        frames = np.fromiter((key.frame for key in keys), np.int64, len(keys))
        return self._rows_at(files, frames)

    def rows_from(self, other: "Listing") -> Rows:
        """The row in this listing of each row of another one, int32; -1 if the image is not listed here.

        Takes milliseconds if the listings are almost equal, else up to a second for a million images.
        """

        def look_up(start: int, stop: int) -> NDArray[np.int32]:
            return self._paths.numbers(other._paths.between(start, stop))

        files = match_files(other.arrays, self.arrays, look_up)
        counts = other._counts()
        frames = np.arange(len(other)) - np.repeat(other._first_rows.values, counts)
        frames[np.repeat(other._stack_frames.values > 0, counts)] = WHOLE_STACK
        return self._rows_at(np.repeat(files, counts), frames)

    def same_images(self, other: "Listing") -> bool:
        """Whether both list the same images in the same order; sizes and times may differ."""
        one, two = self.arrays, other.arrays
        return (
            one.images == two.images
            and np.array_equal(one.first_rows, two.first_rows)
            and np.array_equal(one.names, two.names)
            and np.array_equal(one.stack_frames, two.stack_frames)
        )

    def same_files(self, other: "Listing") -> bool:
        """Whether sizes and times are also the same, so that there is nothing new to save."""
        one, two = self.arrays, other.arrays
        return (
            self.same_images(other)
            and np.array_equal(one.sizes, two.sizes)
            and np.array_equal(one.mtimes_ns, two.mtimes_ns)
        )

    def contains_text(self, text: str, start: int = 0) -> NDArray[np.bool_]:
        """For each row, whether its path contains a text, in upper or lower case.

        Args:
            text: Composed and decomposed letters count as the same.
            start: First row to check; it has to be the first one of its file.
        """
        file = self._file_of(start) if start else 0
        found = self._paths.with_text(text, file)
        return found if self.has_one_image_per_file else np.repeat(found, self._counts()[file:])

    def folder_of(self, row: int) -> str:
        """The folder of an image, relative to the dataset; empty for the dataset itself."""
        return parent_of(self.path(row))

    def folders_later(self) -> Callable[[], list[Folder]]:
        """A function that returns the folders with images and those above them, each followed by those in it.

        It takes 100 ms for many folders, so it may be called in a thread, even if files are added meanwhile.
        """
        folder_starts, counts = self._turns.values, self._rows_per_folder_start()
        return lambda: folder_tree(
            [parent_of(self._paths.path(file)) for file in folder_starts.tolist()], counts
        )

    def in_folder(self, folder: str) -> NDArray[np.bool_]:
        """For each row, whether it is in a folder or below it; "" is the dataset."""
        inside = [is_below(name, folder) for name in self._folder_names()]
        return np.repeat(np.array(inside, np.bool_), self._rows_per_folder_start())

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Size in bytes of the file of each row; -1 if unknown."""
        return self._for_rows(self._sizes.values)

    @property
    def mtimes_ns(self) -> NDArray[np.int64]:
        """Time of the file of each row, Unix nanoseconds; 0 if unknown."""
        return self._for_rows(self._mtimes_ns.values)

    def mtime_ns(self, row: int) -> int:
        """Time of the file of a row, Unix nanoseconds; 0 if unknown."""
        return int(self._mtimes_ns.values[self._file_of(row)])

    @property
    def by_time(self) -> Rows:
        """All rows, oldest first; equal times stay in order, unknown times come last. The result is cached."""
        if self._by_time is None:
            times = self.mtimes_ns
            times = np.where(times == 0, np.iinfo(np.int64).max, times)
            self._by_time = np.argsort(times, kind="stable").astype(np.int32)
        return self._by_time

    def files_at(self, paths: Sequence[str]) -> list[ImageFile]:
        """The files with these paths, as far as they are listed."""
        numbers = self._paths.numbers(paths)
        return self._files(numbers[numbers >= 0])

    def count_listed(self, paths: Sequence[str]) -> int:
        """How many of these paths are those of listed files."""
        return int(np.count_nonzero(self._paths.numbers(paths) >= 0))

    def files_of_sizes(self, sizes: Collection[int]) -> list[ImageFile]:
        """The files that have one of these sizes."""
        return self._files(np.flatnonzero(np.isin(self._sizes.values, list(sizes))))

    def keys_except(self, paths: Sequence[str]) -> list[ImageKey]:
        """All images except those of these files; slow for a million, so call it in a thread."""
        is_new = np.ones(len(self._paths), np.bool_)
        numbers = self._paths.numbers(paths)
        is_new[numbers[numbers >= 0]] = False
        counts = self._counts()
        files = np.flatnonzero(is_new)
        is_whole = (self._stack_frames.values[files] > 0).tolist()
        return [
            ImageKey(path, WHOLE_STACK if whole else frame)
            for path, count, whole in zip(
                self._paths.some(files), counts[files].tolist(), is_whole, strict=True
            )
            for frame in range(count)
        ]

    def _files(self, numbers: NDArray[Any]) -> list[ImageFile]:
        sizes, times = self._sizes.values[numbers].tolist(), self._mtimes_ns.values[numbers].tolist()
        found = zip(self._paths.some(numbers), sizes, times, strict=True)
        return [
            ImageFile(path, None if size == UNKNOWN_SIZE else size, time or None)
            for path, size, time in found
        ]

    def _file_of(self, row: int) -> int:
        if not 0 <= row < self._images:
            raise IndexError(f"no row {row} among {self._images}")
        if self.has_one_image_per_file:
            return row
        return int(self._first_rows.values.searchsorted(row, side="right")) - 1

    def _frame(self, row: int, file: int) -> int:
        return WHOLE_STACK if self._stack_frames.values[file] else row - int(self._first_rows.values[file])

    def _end_row(self, file: int) -> int:
        rows = self._first_rows.values
        return int(rows[file + 1]) if file + 1 < len(rows) else self._images

    def _rows_at(self, files: NDArray[np.int32], frames: NDArray[np.int64]) -> Rows:
        if not len(self._paths):
            return np.full(len(files), -1, np.int32)
        first, end = self._first_rows.values, np.append(self._first_rows.values[1:], self._images)
        is_whole = self._stack_frames.values[files] > 0
        frames = np.where(
            is_whole & (frames <= 0), -1 - frames, frames
        )  # of a whole stack -1 is its only one, 0 none
        rows: NDArray[np.int64] = first[files] + frames
        rows[(files < 0) | (frames < 0) | (rows >= end[files])] = -1
        return rows.astype(np.int32)

    def _counts(self) -> NDArray[np.int32]:
        counts: NDArray[np.int32] = np.diff(self._first_rows.values, append=np.int32(self._images))
        return counts

    def _for_rows(self, values: NDArray[Any]) -> NDArray[Any]:
        return values if self.has_one_image_per_file else np.repeat(values, self._counts())

    def _rows_per_folder_start(self) -> NDArray[np.int32]:
        firsts = self._first_rows.values[self._turns.values]
        counts: NDArray[np.int32] = np.diff(firsts, append=np.int32(self._images))
        return counts

    def _folder_names(self) -> list[str]:
        """The folder at each folder start."""
        known = len(self._folders)
        self._folders += [parent_of(self._paths.path(int(file))) for file in self._turns.values[known:]]
        return self._folders
