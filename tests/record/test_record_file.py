"""Rows of a file become what was written, or the damage is named."""

import json
import sqlite3

import numpy as np
import pytest

from keras_trainkit.record.checksum import checksum
from keras_trainkit.record.record_file import (
    DamagedError,
    check_row,
    content_of,
    create_tables,
    decode_block,
    read_content,
    read_totals,
)
from keras_trainkit.record.series import Series

LOSS, RATE = Series("loss"), Series("learning_rate")
VALUES = np.array([[0.1, np.nan], [np.inf, -2.0], [3.0, 4.0]])


def row(columns=(0, 1), values=VALUES, kind="float64", present=None, epochs=(0, 0, 1)):
    """A row of `blocks`, its bytes written out by hand."""
    form = {"float32": "<f4", "float64": "<f8"}[kind]
    return (
        np.array(columns, "<i4").tobytes(),
        np.array([5, 7, 2**40], "<i8").tobytes(),
        np.array(epochs, "<i8").tobytes(),
        kind,
        np.array(values, form).tobytes(),
        None if present is None else bytes(present),
    )


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_a_block_is_read_as_it_was_written(kind):
    block = decode_block(row(kind=kind))
    assert block.columns.tolist() == [0, 1]
    assert block.steps.tolist() == [5, 7, 2**40]
    assert block.epochs.tolist() == [0, 0, 1]
    assert block.values.dtype == kind
    np.testing.assert_array_equal(block.values, VALUES.astype(kind))
    assert block.present is None


def test_what_was_not_taken_is_told_by_row_and_column():
    present = decode_block(row(present=[1, 0, 0, 1, 1, 1])).present
    assert present.dtype == bool
    assert present.tolist() == [[True, False], [False, True], [True, True]]


def test_a_block_whose_parts_do_not_fit_is_refused():
    with pytest.raises(DamagedError, match="as many epochs as steps"):
        decode_block(row(epochs=(0, 1)))
    with pytest.raises(ValueError, match="reshape"):
        decode_block(row(columns=(0, 1, 2)))


def test_rows_count_by_their_numbers_and_blocks_of_missing_series_do_not():
    found = content_of(
        {
            "metadata": {1: ("b", '[1, "x"]'), 0: ("a", "null")},
            "series": {2: tuple(RATE), 0: tuple(LOSS)},
            "blocks": {
                1: row((2,), VALUES[:, 1:]),
                2: row((0, 1)),
                0: row((0,), VALUES[:, :1]),
            },
            "images": {3: ("late", 1, b"2"), 1: ("early", 0, b"1")},
        }
    )
    assert list(found.metadata.items()) == [("a", None), ("b", [1, "x"])]
    assert list(found.series.items()) == [(0, LOSS), (2, RATE)]
    assert [block.columns.tolist() for block in found.blocks] == [[0], [2]]
    assert found.images == [("early", 0, b"1"), ("late", 1, b"2")]


def test_a_row_is_known_by_its_checksum():
    parts = (3, "loss", None, b"\x00")
    assert check_row("series", (*parts, checksum(*parts))) is True
    with pytest.raises(DamagedError, match="row 3 of series does not match"):
        check_row("series", (3, "lose", None, b"\x00", checksum(*parts)))
    with pytest.raises(DamagedError, match="row 4"):
        check_row("series", (4, *parts[1:], checksum(*parts)))


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:")
    create_tables(connection)
    yield connection
    connection.close()


def put(connection, table, *parts):
    places = ", ".join("?" * (len(parts) + 1))
    connection.execute(
        f"INSERT OR REPLACE INTO {table} VALUES ({places})", (*parts, checksum(*parts))
    )


def test_a_new_file_is_an_empty_record(connection):
    assert set(read_totals(connection).values()) == {0}
    content = read_content(connection)
    assert content == ({}, {}, [], [], 2)


@pytest.mark.parametrize("total", [0, 2, 3])
def test_each_table_must_have_the_rows_that_were_counted(connection, total):
    for number, key in enumerate(("a", "b")):
        put(connection, "metadata", number, key, json.dumps(number))
    put(connection, "totals", 0, total, 0, 0, 0)
    connection.commit()
    assert read_totals(connection)["metadata"] == total
    if total == 2:
        assert read_content(connection).metadata == {"a": 0, "b": 1}
    else:
        with pytest.raises(DamagedError, match=f"2 of {total} rows of metadata"):
            read_content(connection)


def test_as_many_rows_of_other_numbers_are_not_those_that_were_counted(connection):
    put(connection, "metadata", 1, "b", "1")
    put(connection, "totals", 0, 1, 0, 0, 0)
    connection.commit()
    with pytest.raises(DamagedError, match="1 of 1 rows of metadata"):
        read_content(connection)


def test_a_file_without_its_count_is_damaged(connection):
    connection.execute("UPDATE totals SET images = 1")
    with pytest.raises(DamagedError, match="row 0 of totals"):
        read_totals(connection)
    connection.execute("DELETE FROM totals")
    with pytest.raises(DamagedError, match="count of its rows is missing"):
        read_totals(connection)
