"""The file of a record: SQLite with arrays as raw bytes, nothing ever unpickled."""

import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_trainkit.arguments import received

_APPLICATION_ID = 0x6B746B31  # "ktk1", says whose file it is
_SCHEMA_VERSION = 1
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
CREATE TABLE metadata (key TEXT PRIMARY KEY, json TEXT NOT NULL);
CREATE TABLE series (
    id INTEGER PRIMARY KEY, measure TEXT, layer TEXT, variable TEXT
);
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    columns BLOB NOT NULL, steps BLOB NOT NULL, epochs BLOB NOT NULL,
    type TEXT NOT NULL, readings BLOB NOT NULL, present BLOB
);
CREATE TABLE images (name TEXT, epoch INTEGER, png BLOB NOT NULL);
"""
_TYPES = {"float32": np.dtype("<f4"), "float64": np.dtype("<f8")}


class StoredBlock(NamedTuple):
    """A block as it lies in the file, its columns as indices of series."""

    columns: np.ndarray
    steps: np.ndarray
    epochs: np.ndarray
    values: np.ndarray
    present: np.ndarray | None


class Content(NamedTuple):
    """All that a file holds."""

    metadata: dict[str, Any]
    series: list[tuple[str, str, str]]
    blocks: list[StoredBlock]
    images: list[tuple[str, int, bytes]]


class RecordFile:
    """Writes one record; made by `create`. Reading is a class method of its own."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

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
        connection = sqlite3.connect(path, check_same_thread=False)
        connection.executescript(_SCHEMA)
        return cls(path, connection)

    def add_series(self, index: int, measure: str, layer: str, variable: str) -> None:
        """Stores what the numbers of the series `index` are."""
        self._connection.execute(
            "INSERT INTO series VALUES (?, ?, ?, ?)", (index, measure, layer, variable)
        )

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
        self._connection.execute(
            "INSERT INTO blocks (columns, steps, epochs, type, readings, present) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                np.asarray(columns, "<i4").tobytes(),
                np.asarray(steps, "<i8").tobytes(),
                np.asarray(epochs, "<i8").tobytes(),
                kind,
                np.asarray(values, _TYPES[kind]).tobytes(),
                None if present is None else np.asarray(present, "u1").tobytes(),
            ),
        )

    def add_image(self, name: str, epoch: int, png: bytes) -> None:
        """Stores a picture."""
        self._connection.execute(
            "INSERT INTO images VALUES (?, ?, ?)", (name, epoch, png)
        )

    def commit(self, metadata: dict[str, Any]) -> None:
        """Makes everything added so far last, with the metadata as they are now."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO metadata VALUES (?, ?)",
            [(key, json.dumps(value)) for key, value in metadata.items()],
        )
        self._connection.commit()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    @staticmethod
    def read(path: str | os.PathLike[str]) -> Content:
        """Reads all of a file, also while it is being written."""
        path = os.fspath(path)
        if not os.path.isfile(path):
            raise ValueError(
                "`path` must be a record file or a run directory that holds one. "
                + received("path", path)
            )
        try:
            connection = sqlite3.connect(
                f"{Path(path).resolve().as_uri()}?mode=ro", uri=True
            )
            try:
                return _read(connection)
            finally:
                connection.close()
        except _ForeignFileError as error:
            raise ValueError(f"{error} {received('path', path)}") from None
        except (sqlite3.DatabaseError, ValueError, KeyError, IndexError) as error:
            raise ValueError(
                f"`path` must be an undamaged record file; reading it failed with "
                f"{type(error).__name__}: {error}. {received('path', path)}"
            ) from error


class _ForeignFileError(Exception):
    """The file is a sound database, but not one of ours."""


def _read(connection: sqlite3.Connection) -> Content:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise _ForeignFileError("`path` must be a file written by keras_trainkit.")
    if version > _SCHEMA_VERSION:
        raise _ForeignFileError(
            f"`path` was written by a newer keras_trainkit (format {version}, this "
            f"version reads up to {_SCHEMA_VERSION})."
        )
    connection.execute("BEGIN")  # one snapshot for all tables
    metadata = {
        key: json.loads(text)
        for key, text in connection.execute("SELECT key, json FROM metadata")
    }
    rows = connection.execute(
        "SELECT measure, layer, variable FROM series ORDER BY id"
    ).fetchall()
    blocks = [
        _decode(row, len(rows))
        for row in connection.execute(
            "SELECT columns, steps, epochs, type, readings, present FROM blocks "
            "ORDER BY id"
        )
    ]
    images = connection.execute(
        "SELECT name, epoch, png FROM images ORDER BY rowid"
    ).fetchall()
    return Content(metadata, rows, blocks, images)


def _decode(row: tuple[Any, ...], series_count: int) -> StoredBlock:
    columns = np.frombuffer(row[0], "<i4")
    steps = np.frombuffer(row[1], "<i8")
    epochs = np.frombuffer(row[2], "<i8")
    shape = len(steps), len(columns)
    values = np.frombuffer(row[4], _TYPES[row[3]]).reshape(shape)
    present = None
    if row[5] is not None:
        present = np.frombuffer(row[5], "u1").reshape(shape).astype(bool)
    if len(epochs) != len(steps) or (len(columns) and columns.max() >= series_count):
        raise ValueError("a block does not fit its series")
    return StoredBlock(columns, steps, epochs, values, present)
