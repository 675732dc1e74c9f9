"""A file written before the format changed says what it said then."""

import pathlib
import shutil
import sqlite3

import numpy as np
import pytest

from keras_trainkit import diagnosis
from keras_trainkit.record import Readings, Series, TrainingRecord
from keras_trainkit.record.format_1 import read_format_1
from keras_trainkit.record.record_file import DamagedError

FILE = pathlib.Path(__file__).parent / "format_1.sqlite"
STEPS = ("loss", "learning_rate")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    # SQLite writes beside what it reads.
    return shutil.copy(FILE, tmp_path_factory.mktemp("old") / FILE.name)


@pytest.fixture(scope="module")
def record(path):
    return TrainingRecord.open(path)


def test_old_names_stand_where_they_belong_today(record):
    kinds = [
        ("weight", "kernel"),
        ("gradient", "kernel"),
        ("activation", ""),
        ("activation_gradient", ""),
    ]
    assert list(record.select("nonfinite_count")) == [
        Series("nonfinite_count", "dense", variable, tensor)
        for tensor, variable in kinds
    ]
    assert [one.metric for one in record.select("overfitting_gap")] == [
        "loss",
        "accuracy",
    ]
    assert [one.edges for one in record.select("activation_histogram")] == [
        (-np.inf, -1e4),
        (-1e-8, 1e-8),
        (1e-8, 3.16228e-8),
        (1e4, np.inf),
    ]
    assert list(record.select("val_loss")) == [
        Series("val_loss"),
        Series("val_loss", training="2"),
    ]
    assert list(record.select("update_ratio")) == [
        Series("update_ratio", "dense", "kernel"),
        Series("update_ratio", "dense", "bias"),
    ]


def test_old_numbers_are_what_they_were(record):
    steps, epochs, values = record.values("loss")
    assert steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert epochs.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(values, [0, 1.75, 3.5, 1, np.nan, -np.inf])
    steps, _, values = record.values("update_ratio", "dense", "kernel")
    assert steps.tolist() == [0, 2, 3, 4, 5]  # none was taken at step 1
    np.testing.assert_array_equal(values, [0.625, 4.125, 1.625, 3.375, np.inf])
    assert record.values("val_loss")[2].tolist() == [0.2, 1.2]
    assert record.values("val_loss", training="2")[2].tolist() == [0.3, 1.3]
    assert record.metadata["model_name"] == "net"
    assert [image.epoch for image in record.images("filters")] == [0, 1]
    assert record.images()[0].png.startswith(b"\x89PNG")


def test_old_records_are_diagnosed(record):
    first = Readings(record).first_nonfinite
    assert (first.step, first.series.tensor_name) == (4, "dense/kernel gradient")
    assert "error" in {one.severity for one in diagnosis.diagnose(record)}


def test_old_records_are_read_and_not_written(path):
    with pytest.raises(ValueError, match="older ones can be read with `open`"):
        TrainingRecord.resume(path)


@pytest.mark.parametrize("column", [-1, 1])
def test_a_block_of_a_series_that_is_not_there_is_damage(column):
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE metadata (key TEXT, json TEXT);"
        "CREATE TABLE series (id INTEGER, measure TEXT, layer TEXT, variable TEXT);"
        "CREATE TABLE images (name TEXT, epoch INTEGER, png BLOB);"
        "CREATE TABLE blocks (id INTEGER, columns BLOB, steps BLOB, epochs BLOB,"
        " type TEXT, readings BLOB, present BLOB);"
    )
    connection.execute("INSERT INTO series VALUES (7, 'val_loss', '', 'execution 2')")

    def put(number, place):
        row = np.array([place], "<i4").tobytes(), *2 * (bytes(8),)
        readings = np.array([number], "<f4").tobytes()
        connection.execute(
            "INSERT INTO blocks VALUES (?, ?, ?, ?, 'float32', ?, NULL)",
            (number, *row, readings),
        )

    put(2, 0)
    put(1, 0)
    connection.commit()
    found = read_format_1(connection)
    assert found.series == {0: Series("val_loss", training="2")}
    assert [float(block.values[0, 0]) for block in found.blocks] == [1.0, 2.0]
    assert found.version == 1
    connection.commit()
    put(3, column)
    connection.commit()
    with pytest.raises(DamagedError, match="does not fit its series"):
        read_format_1(connection)
    connection.close()
