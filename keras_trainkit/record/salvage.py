"""Reads what is whole of a file that was damaged."""

import os
import shutil
import sqlite3
import tempfile
from typing import Any, NamedTuple

from keras_trainkit.record.record_file import (
    PAGE_SIZE,
    TABLES,
    Content,
    DamagedError,
    check_row,
    content_of,
    create_tables,
    read_totals,
)

# Row numbers without a row after which a table of unknown length is over.
_GAP = 300
# Parts of the first page that say how long the file is and that it is up to date.
_CHANGE_COUNTER = slice(24, 28)
_FREE_PAGES = slice(32, 40)


class Salvage(NamedTuple):
    """What was whole of a damaged file.

    Args:
        content: That.
        found: How many rows of each table are whole.
        expected: How many there were, `None` if that is not known.
    """

    content: Content
    found: dict[str, int]
    expected: dict[str, int] | None

    def words(self) -> str:
        """What is readable, as a part of a sentence."""
        blocks = self.content.blocks
        of = "" if self.expected is None else f" of {self.expected['blocks']}"
        words = f"{len(blocks)}{of} blocks of readings"
        last = max((int(b.steps.max()) for b in blocks if len(b.steps)), default=-1)
        return f"{words}, up to step {last}" if last >= 0 else words


def salvage(path: str) -> Salvage:
    """Reads every row that is as it was written; the file itself is left alone.

    Tried are the file with SQLite's log, the same with its first page made anew
    (which is the same in all records), and the file without the log.

    Args:
        path: A record file of the present format, however damaged.
    """
    rows: dict[str, dict[int, tuple[Any, ...]]] = {table: {} for table in TABLES}
    expected = None
    with tempfile.TemporaryDirectory() as directory:
        for number, (with_log, with_first_page) in enumerate(
            ((True, False), (True, True), (False, False), (False, True))
        ):
            copy = os.path.join(directory, f"{number}.sqlite")
            shutil.copyfile(path, copy)
            if with_log and os.path.isfile(f"{path}-wal"):
                shutil.copyfile(f"{path}-wal", f"{copy}-wal")
            if with_first_page:
                _renew_first_page(copy)
            totals = _collect(copy, rows)
            expected = expected or totals
            found = {table: len(of_table) for table, of_table in rows.items()}
            if found == expected:
                break
    return Salvage(content_of(rows), found, expected)


def _collect(
    path: str, rows: dict[str, dict[int, tuple[Any, ...]]]
) -> dict[str, int] | None:
    """Adds the rows of one copy that are whole, and says how many there were."""
    try:
        connection = sqlite3.connect(path)
    except sqlite3.Error:
        return None
    try:
        totals = _totals(connection)
        for table, names in TABLES.items():
            query = f"SELECT id, {', '.join(names)}, checksum FROM {table} WHERE id = ?"
            length = None if totals is None else totals[table]
            number = missed = 0
            while missed < _GAP if length is None else number < length:
                row = _row(connection, query, table, number)
                missed = missed + 1 if row is None else 0
                if row is not None:
                    rows[table].setdefault(number, row)
                number += 1
        return totals
    finally:
        connection.close()


def _totals(connection: sqlite3.Connection) -> dict[str, int] | None:
    try:
        return read_totals(connection)
    except (sqlite3.Error, DamagedError):
        return None


def _row(
    connection: sqlite3.Connection, query: str, table: str, number: int
) -> tuple[Any, ...] | None:
    try:
        row = connection.execute(query, (number,)).fetchone()
        return row[1:-1] if row is not None and check_row(table, row) else None
    except (sqlite3.Error, DamagedError, ValueError, OverflowError, MemoryError):
        return None


def _renew_first_page(path: str) -> None:
    """Puts the first page of an empty record in the place of the file's own."""
    fresh = f"{path}.fresh"
    connection = sqlite3.connect(fresh)
    create_tables(connection)
    connection.close()
    with open(fresh, "rb") as file:
        page = bytearray(file.read(PAGE_SIZE))
    page[_CHANGE_COUNTER] = b"\xff\xff\xff\xfe"  # so that the length is looked up
    page[_FREE_PAGES] = bytes(8)
    with open(path, "r+b") as file:
        file.write(page)
        file.seek(0, os.SEEK_END)
        file.truncate(max(PAGE_SIZE, file.tell() // PAGE_SIZE * PAGE_SIZE))
