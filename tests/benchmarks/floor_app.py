"""The floor: what the quickest program would take that reads a key, commits a label and paints an image.

    python floor_app.py LABELS_DB PAINT

For each key it commits a row to an SQLite file with the settings of labels.db, then writes the bytes of PAINT.
"""

import os
import sqlite3
import sys
import tty
from pathlib import Path

ANSWER = b"\x1b["
"""How answers of the terminal begin; F1 to F4 begin otherwise."""


def main(labels_db: str, paint: bytes) -> None:
    connection = sqlite3.connect(labels_db, isolation_level=None)
    connection.execute("PRAGMA journal_mode = PERSIST")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE label (id INTEGER PRIMARY KEY, path BLOB, class_id INTEGER)")
    tty.setraw(0)
    os.write(1, b"ready")
    while True:
        if os.read(0, 4096).startswith(ANSWER):
            continue
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO label (path, class_id) VALUES (?, ?)", (b"photo.jpg", 1))
        connection.execute("COMMIT")
        rest = memoryview(paint)
        while rest:
            rest = rest[os.write(1, rest) :]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).read_bytes())
