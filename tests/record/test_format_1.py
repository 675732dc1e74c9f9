"""A file written before the format changed says what it said then."""

import pathlib
import shutil

import numpy as np
import pytest

from keras_trainkit import diagnosis
from keras_trainkit.record import Readings, Series, TrainingRecord

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
