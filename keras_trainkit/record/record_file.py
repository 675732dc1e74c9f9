"""The file of a record: SQLite with arrays as raw bytes, nothing ever unpickled.

Every row bears a checksum of itself, and one row counts all others, so that neither
a changed byte nor a lost row passes for what was measured.
"""

import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_trainkit.arguments import received
from keras_trainkit.record.checksum import checksum
from keras_trainkit.record.series import Series

APPLICATION_ID = 0x6B746B31  # "ktk1", says whose file it is
VERSION = 2
PAGE_SIZE = 4096
_SCHEMA = f"""
PRAGMA page_size = {PAGE_SIZE};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
BEGIN;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE totals (
    id INTEGER PRIMARY KEY, metadata INTEGER, series INTEGER, blocks INTEGER,
    images INTEGER, checksum INTEGER NOT NULL
);
CREATE TABLE metadata (
    id INTEGER PRIMARY KEY, key TEXT, json TEXT, checksum INTEGER NOT NULL
);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, measure TEXT, layer TEXT, variable TEXT, tensor TEXT,
    metric TEXT, bin TEXT, training TEXT, checksum INTEGER NOT NULL
);
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    columns BLOB NOT NULL, steps BLOB NOT NULL, epochs BLOB NOT NULL,
    type TEXT NOT NULL, readings BLOB NOT NULL, present BLOB,
    checksum INTEGER NOT NULL
);
CREATE TABLE images (
    id INTEGER PRIMARY KEY, name TEXT, epoch INTEGER, png BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
"""
# The tables and what a row of each holds beside its number and its checksum.
TABLES = {
    "metadata": ("key", "json"),
    "series": Series._fields,
    "blocks": ("columns", "steps", "epochs", "type", "readings", "present"),
    "images": ("name", "epoch", "png"),
}
# Seconds to wait for another process that has locked the file.
_PATIENCE = 1.0
_TYPES = {"float32": np.dtype("<f4"), "float64": np.dtype("<f8")}


class StoredBlock(NamedTuple):
    """A block as it lies in the file, its columns as indices of series."""

    columns: np.ndarray
    steps: np.ndarray
    epochs: np.ndarray
    values: np.ndarray
    present: np.ndarray | None


class Content(NamedTuple):
    """All that a file holds.

    Args:
        metadata: What is known of the run.
        series: By the number that blocks name them by.
        blocks: In the order in which they were measured.
        images: `(name, epoch, png)`.
        version: Format of the file.
    """

    metadata: dict[str, Any]
    series: dict[int, Series]
    blocks: list[StoredBlock]
    images: list[tuple[str, int, bytes]]
    version: int = VERSION


class DamagedError(Exception):
    """A file is not as it was written; the words say where."""


class RecordFile:
    """Writes one record; made by `create` or, to go on with one, by `reopen`."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._counts = dict.fromkeys(TABLES, 0)
        # Number of each key and the text that the file holds for it.
        self._metadata: dict[str, tuple[int, str]] = {}

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> "RecordFile":
        """Makes a new file; refuses to touch one that exists."""
        path = os.fspath(path)
        if os.path.exists(path):
            raise ValueError(
                "`path` must not exist yet: a record is never written over. "
                + received("path", path)
            )
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        # Replicas and Keras' callback thread may hand over readings.
        connection = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
        create_tables(connection)
        return cls(path, connection)

    @classmethod
    def reopen(cls, path: str | os.PathLike[str]) -> "RecordFile":
        """Opens a file of the present format, known to be whole, to go on with it."""
        path = os.fspath(path)
        connection = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        file = cls(path, connection)
        rows = connection.execute("SELECT id, key, json FROM metadata")
        file._metadata = {key: (place, text) for place, key, text in rows}
        for table in TABLES:
            (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            file._counts[table] = count
        return file

    def add_series(self, index: int, series: Series) -> None:
        """Stores what the numbers of the series `index` are, counted from 0."""
        self._insert("series", index, *series)
        self._counts["series"] += 1

    def add_block(
        self,
        columns: Sequence[int],
        steps: np.ndarray,
        epochs: np.ndarray,
        values: np.ndarray,
        present: np.ndarray | None,
    ) -> None:
        """Stores a block of readings."""
        kind = "float32" if values.dtype == np.float32 else "float64"
        self._insert(
            "blocks",
            self._counts["blocks"],
            np.asarray(columns, "<i4").tobytes(),
            np.asarray(steps, "<i8").tobytes(),
            np.asarray(epochs, "<i8").tobytes(),
            kind,
            np.asarray(values, _TYPES[kind]).tobytes(),
            None if present is None else np.asarray(present, "u1").tobytes(),
        )
        self._counts["blocks"] += 1

    def add_image(self, name: str, epoch: int, png: bytes) -> None:
        """Stores a picture."""
        self._insert("images", self._counts["images"], name, epoch, png)
        self._counts["images"] += 1

    def commit(self, metadata: dict[str, Any]) -> None:
        """Makes everything added so far last, with the metadata as they are now."""
        for key, value in metadata.items():
            text = json.dumps(value)
            place, before = self._metadata.get(key, (len(self._metadata), None))
            if text != before:
                self._insert("metadata", place, key, text)
                self._metadata[key] = place, text
        self._counts["metadata"] = len(self._metadata)
        counts = [self._counts[table] for table in TABLES]
        self._insert("totals", 0, *counts)
        self._connection.commit()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _insert(self, table: str, number: int, *values: Any) -> None:
        _insert(self._connection, table, number, *values)


def create_tables(connection: sqlite3.Connection) -> None:
    """Makes a new database an empty record, all of it or nothing."""
    connection.executescript(_SCHEMA)
    _insert(connection, "totals", 0, *(0 for _ in TABLES))
    connection.commit()


def _insert(
    connection: sqlite3.Connection, table: str, number: int, *values: Any
) -> None:
    row = (number, *values, checksum(number, *values))
    places = ", ".join("?" * len(row))
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({places})", row)


def connect_to_read(path: str) -> sqlite3.Connection:
    """Opens a file that nothing is to be changed in, also while it is written."""
    address = f"{Path(path).resolve().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, timeout=1.0)


def read_content(connection: sqlite3.Connection) -> Content:
    """Reads all of a file of the present format, each row and their number checked.

    Raises:
        DamagedError: If a row is not as it was written, or is missing.
    """
    connection.execute("BEGIN")  # one snapshot for all tables
    expected = read_totals(connection)
    rows: dict[str, dict[int, tuple[Any, ...]]] = {}
    for table, names in TABLES.items():
        found = connection.execute(
            f"SELECT id, {', '.join(names)}, checksum FROM {table} ORDER BY id"
        )
        rows[table] = {row[0]: row[1:-1] for row in found if check_row(table, row)}
        if list(rows[table]) != list(range(expected[table])):
            raise DamagedError(
                f"it holds {len(rows[table])} of {expected[table]} rows of {table}"
            )
    return content_of(rows)


def read_totals(connection: sqlite3.Connection) -> dict[str, int]:
    """Reads how many rows each table must have.

    Raises:
        DamagedError: If that row is missing or was damaged.
    """
    row = connection.execute(
        f"SELECT id, {', '.join(TABLES)}, checksum FROM totals"
    ).fetchone()
    if row is None:
        raise DamagedError("the count of its rows is missing")
    check_row("totals", row)
    return dict(zip(TABLES, row[1:-1], strict=True))


def check_row(table: str, row: tuple[Any, ...]) -> bool:
    """Returns true if a row, its checksum last, is as it was written, else raises."""
    if row[-1] != checksum(*row[:-1]):
        raise DamagedError(f"row {row[0]} of {table} does not match its checksum")
    return True


def content_of(rows: dict[str, dict[int, tuple[Any, ...]]]) -> Content:
    """Makes sense of rows that are as they were written, by table and number.

    Blocks whose series are missing are left out.
    """
    series = {place: Series(*row) for place, row in sorted(rows["series"].items())}
    blocks = [decode_block(row) for _, row in sorted(rows["blocks"].items())]
    return Content(
        {key: json.loads(text) for _, (key, text) in sorted(rows["metadata"].items())},
        series,
        [block for block in blocks if set(block.columns.tolist()) <= set(series)],
        [row for _, row in sorted(rows["images"].items())],
    )


def decode_block(row: Sequence[Any]) -> StoredBlock:
    """Makes arrays of the columns of a row of `blocks`."""
    columns = np.frombuffer(row[0], "<i4")
    steps = np.frombuffer(row[1], "<i8")
    epochs = np.frombuffer(row[2], "<i8")
    shape = len(steps), len(columns)
    values = np.frombuffer(row[4], _TYPES[row[3]]).reshape(shape)
    present = None
    if row[5] is not None:
        present = np.frombuffer(row[5], "u1").reshape(shape).astype(bool)
    if len(epochs) != len(steps):
        raise DamagedError("a block has not as many epochs as steps")
    return StoredBlock(columns, steps, epochs, values, present)
