"""Finds a record's file and reads it, or says in one sentence why it cannot."""

import os
import sqlite3

from keras_trainkit.arguments import received
from keras_trainkit.record.format_1 import read_format_1
from keras_trainkit.record.record_file import (
    APPLICATION_ID,
    VERSION,
    Content,
    DamagedError,
    connect_to_read,
    read_content,
)
from keras_trainkit.record.salvage import Salvage, salvage
from keras_trainkit.record.write_ahead_log import has_lost_commits

FILE = "record.sqlite"


class _ForeignError(Exception):
    """A sound file, but not one that can be read here."""


def find_file(path: str | os.PathLike[str]) -> str:
    """Returns the record file that a path names, or the directory of one.

    Raises:
        ValueError: If there is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(
            "`path` must be a record file or a run directory that holds one. "
            + received("path", path)
        )
    name = os.fspath(path)
    found = os.path.join(name, FILE) if os.path.isdir(name) else name
    if not os.path.isfile(found):
        raise ValueError(
            "`path` must be a record file or a run directory that holds one. "
            + received("path", found)
        )
    return found


def read_file(path: str) -> Content:
    """Reads all of a file, also while it is being written.

    Args:
        path: A file that exists.

    Raises:
        ValueError: If it is not a record, is locked, or is damaged; then it says what
            can still be read, and how.
    """
    try:
        return _read(path)
    except _ForeignError as error:
        words = str(error)
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            words = "`path` is locked by another process; try again when it is done."
        else:
            words = _explain(path, str(error))
    except Exception as error:
        # A damaged file can make SQLite hand out anything.
        words = _explain(path, str(error) or type(error).__name__)
    raise ValueError(f"{words} {received('path', path)}")


def salvage_file(path: str) -> Salvage:
    """Reads what is whole of a damaged file.

    Raises:
        ValueError: If nothing is.
    """
    try:
        saved = salvage(path)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"`path` holds nothing that can be salvaged: {reason}. "
            + received("path", path)
        ) from None
    if not any(saved.found.values()):
        raise ValueError(
            "`path` holds nothing that can be salvaged: no part of a record is whole "
            f"in it. {received('path', path)}"
        )
    return saved


def _read(path: str) -> Content:
    if has_lost_commits(path):
        raise DamagedError("the end of SQLite's log beside it, -wal, is not whole")
    connection = connect_to_read(path)
    try:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        tables = {name for (name,) in connection.execute(query)}
        if application != APPLICATION_ID and not {"blocks", "series"} <= tables:
            raise _ForeignError("`path` must be a file written by keras_trainkit.")
        if application != APPLICATION_ID:
            raise DamagedError("its header is not that of a record")
        if version == 1 and "totals" not in tables:
            return read_format_1(connection)
        if version > VERSION and not _is_present_format(connection):
            raise _ForeignError(
                f"`path` was written by a newer keras_trainkit (format {version}; "
                f"this version reads up to {VERSION})."
            )
        if version != VERSION:
            raise DamagedError(f"its header says format {version}, its tables another")
        return read_content(connection)
    finally:
        connection.close()


def _is_present_format(connection: sqlite3.Connection) -> bool:
    try:
        read_content(connection)
    except Exception:
        return False
    return True


def _explain(path: str, reason: str) -> str:
    """What is wrong with a damaged file, what of it is readable, and the way out."""
    start = f"`path` must be an undamaged record file: {reason}."
    try:
        saved = salvage(path)
    except Exception:
        saved = None
    if saved is None or not any(saved.found.values()):
        return (
            f"{start} Nothing in it can be read; it may be no record at all. Restore "
            "it from a copy, or train again."
        )
    return (
        f"{start} Still readable are {saved.words()}: `TrainingRecord.salvage(path)` "
        "gives a record of these."
    )
