"""The schema of labels.db, as the migrations that lead to it.

Migration n brings a file from `user_version` n-1 to n. One that was published
is never changed again: a later change is a new migration.
"""

import re
import sqlite3
from contextlib import closing
from functools import cache
from itertools import chain

from mia_tui.decoding import BadRecord

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE class (
            id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: old changes and runs name it
            name TEXT NOT NULL UNIQUE,
            colour TEXT NOT NULL,
            key TEXT UNIQUE,
            position INTEGER NOT NULL,
            archived INTEGER NOT NULL DEFAULT 0
        )""",
        """CREATE TABLE image (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            path BLOB NOT NULL,                    -- relative, os.fsencode
            frame INTEGER NOT NULL,
            size INTEGER,                          -- size, time and hash as last seen
            mtime_ns INTEGER,
            hash TEXT,
            missing INTEGER NOT NULL DEFAULT 0,
            flagged INTEGER NOT NULL DEFAULT 0,    -- content changed under a label
            skipped INTEGER NOT NULL DEFAULT 0,
            note TEXT,
            UNIQUE (path, frame)
        )""",
        """CREATE TABLE label (
            image_id INTEGER PRIMARY KEY REFERENCES image (id),
            class_id INTEGER NOT NULL REFERENCES class (id),
            updated_at REAL NOT NULL,              -- Unix seconds
            annotator TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('person', 'import', 'accepted'))
        )""",
        """CREATE TABLE change (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            batch INTEGER NOT NULL,                -- id of the first change of the same action
            at REAL NOT NULL,
            annotator TEXT NOT NULL,
            kind TEXT NOT NULL,
            target_id INTEGER NOT NULL,            -- of a class for kind class, else of an image
            before TEXT,                           -- JSON; NULL is: there was none
            after TEXT,
            undoes INTEGER REFERENCES change (id)
        )""",
        "CREATE INDEX change_target ON change (kind, target_id)",
        """CREATE TABLE split (
            image_id INTEGER PRIMARY KEY REFERENCES image (id),
            part TEXT NOT NULL CHECK (part IN ('train', 'val', 'test'))
        )""",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ),
    (
        # do, undo, redo: steps of a person. auto: what following moved and changed files wrote; until now,
        # only that wrote paths and set flags.
        "ALTER TABLE change ADD COLUMN step TEXT NOT NULL DEFAULT 'do'",
        "UPDATE change SET step = 'auto' WHERE kind = 'path' OR (kind = 'flag' AND after = 'true')",
        # One entry for each step of a person, however many images it was about.
        "CREATE INDEX change_step ON change (annotator, id, step) WHERE id = batch AND step != 'auto'",
        "CREATE INDEX change_undoes ON change (undoes) WHERE undoes IS NOT NULL",
    ),
    (
        # The meaning of frame numbers, see images.source.FRAME_NUMBERING. Until now each page of a TIFF was a frame,
        # channels too. Which frame it is now is not known before the file is read (store.frame_numbers); until then
        # page n is frame -2 - n, where nothing is looked for. The first page is hardly ever another frame.
        "ALTER TABLE image ADD COLUMN numbering INTEGER NOT NULL DEFAULT 1",
        """UPDATE image SET numbering = 2
        WHERE lower(substr(path, -4)) != '.tif' AND lower(substr(path, -5)) != '.tiff'""",
        "UPDATE image SET frame = -2 - frame WHERE numbering = 1 AND frame > 0",
        "CREATE INDEX image_numbering ON image (path) WHERE numbering = 1",
    ),
    (
        # A new source, page: taken with a page of look-alikes. SQLite cannot change a check.
        """CREATE TABLE label_with_pages (
            image_id INTEGER PRIMARY KEY REFERENCES image (id),
            class_id INTEGER NOT NULL REFERENCES class (id),
            updated_at REAL NOT NULL,              -- Unix seconds
            annotator TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('person', 'import', 'accepted', 'page'))
        )""",
        """INSERT INTO label_with_pages (image_id, class_id, updated_at, annotator, source)
        SELECT image_id, class_id, updated_at, annotator, source FROM label""",
        "DROP TABLE label",
        "ALTER TABLE label_with_pages RENAME TO label",
        """CREATE TABLE audit (                      -- images drawn at random, to estimate how many are right
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            image_id INTEGER NOT NULL REFERENCES image (id),
            drawn_at REAL NOT NULL,
            drawn_from INTEGER NOT NULL,           -- how many images could have been drawn
            kind TEXT NOT NULL CHECK (kind IN ('label', 'suggestion')),
            said_class_id INTEGER REFERENCES class (id),  -- what the label or suggestion was before the answer
            probability REAL,                      -- of a suggestion
            class_id INTEGER REFERENCES class (id),  -- the answer; NULL until it is given
            annotator TEXT,
            answered_at REAL
        )""",
        "CREATE INDEX audit_image ON audit (image_id)",
        """CREATE TABLE kept (                       -- label issues that a person looked at and left as they are
            image_id INTEGER NOT NULL REFERENCES image (id),
            issue TEXT NOT NULL CHECK (issue IN ('label', 'duplicate', 'outlier')),
            class_id INTEGER NOT NULL REFERENCES class (id),  -- the label then; another one is asked about again
            annotator TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (image_id, issue)
        ) WITHOUT ROWID""",
        """CREATE TABLE opinion (                    -- what each annotator of a blind second pass says
            image_id INTEGER NOT NULL REFERENCES image (id),
            annotator TEXT NOT NULL,
            class_id INTEGER NOT NULL REFERENCES class (id),
            at REAL NOT NULL,
            PRIMARY KEY (image_id, annotator)
        ) WITHOUT ROWID""",
        """CREATE TABLE second_pass (                -- images that others label again, without seeing the label
            image_id INTEGER PRIMARY KEY REFERENCES image (id),
            drawn_at REAL NOT NULL
        )""",
        """CREATE TABLE decision (                   -- how a person decided a dispute; the class is the label
            image_id INTEGER PRIMARY KEY REFERENCES image (id),
            annotator TEXT NOT NULL,
            class_id INTEGER NOT NULL REFERENCES class (id),
            at REAL NOT NULL
        )""",
        """CREATE TABLE lease (                      -- who is at work on which image
            image_id INTEGER PRIMARY KEY REFERENCES image (id),
            holder TEXT NOT NULL,                  -- one open program
            annotator TEXT NOT NULL,
            until REAL NOT NULL                    -- Unix seconds
        )""",
    ),
    (
        # Whose suggestions were audited, as review.audits names them; NULL of labels, and where it was not noted yet.
        "ALTER TABLE audit ADD COLUMN model TEXT",
    ),
)

NUMBERED_FROM = 3
"""The version from which on a file says which numbering its frames have."""

REVIEWED_FROM = 4
"""The version from which on there are tables for reviews: opinions, decisions, leases, audits."""

AUDITED_MODEL_FROM = 5
"""The version from which on an audit says whose suggestions were audited."""

VERSION = len(MIGRATIONS)


def schema_version(connection: sqlite3.Connection) -> int:
    """Version of a file's schema; 0 is a file without one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_schema(connection: sqlite3.Connection) -> None:
    """Check that a file is a labels.db, or empty; reads only.

    Raises:
        BadRecord: If it belongs to another program, or its schema differs from ours: SQLite runs triggers, views,
            checks, generated columns and indexes on expressions by itself, whoever wrote them.
    """
    version, found = schema_version(connection), _schema_of(connection)
    if version == 0:
        if any(kind == "table" for kind, _ in found):
            raise BadRecord("it is a database of another program")
        return
    if found.keys().isdisjoint(_schema(1)):
        raise BadRecord("it is a database of another program")
    if version > VERSION:
        return
    if version < 0:
        raise BadRecord("it was changed by another program")
    ours = _schema(version)
    for kind, name in ours.keys() - found.keys():
        if kind == "table":
            raise BadRecord(f"its table {name} is missing")
    tables = {name for kind, name in ours if kind == "table"}
    for (kind, name), (table, sql) in found.items():
        if kind in ("trigger", "view") or (table in tables and (table, sql) != ours.get((kind, name))):
            raise BadRecord(f"its {kind} {name} was changed by another program")


_Schema = dict[tuple[str, str], tuple[str, str]]
"""By kind and name: the table it belongs to and its statement, without comments and spaces."""


@cache
def _schema(version: int) -> _Schema:
    with closing(sqlite3.connect(":memory:")) as model:
        for statement in chain.from_iterable(MIGRATIONS[:version]):
            model.execute(statement)
        return _schema_of(model)


def _schema_of(connection: sqlite3.Connection) -> _Schema:
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(kind, name): (table, _COMMENT_OR_SPACE.sub("", sql)) for kind, name, table, sql in found}


_COMMENT_OR_SPACE = re.compile(r"--[^\n]*|\s+")


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to the current schema: all migrations, or none.

    Args:
        connection: In autocommit mode, outside a transaction.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(connection)  # read again: another program may have been first
        for migration in MIGRATIONS[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
