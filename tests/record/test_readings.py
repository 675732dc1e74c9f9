import numpy as np
import pytest

from keras_trainkit.record.readings import Readings
from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord
from tests.report.records import full_record


def readings_of(values, epochs=None, measure="update_ratio"):
    record = TrainingRecord()
    epochs = epochs or [0] * len(values)
    for step, (value, epoch) in enumerate(zip(values, epochs, strict=True)):
        record.add(measure, value, step=step, epoch=epoch)
    return Readings(record), Series(measure)


@pytest.mark.parametrize(
    ("values", "epochs", "expected"),
    [
        ([], [], np.nan),
        ([5.0], [0], 5.0),
        ([9.0, 9.0, 1.0, 3.0, 2.0], [0, 0, 1, 1, 1], 2.0),
        ([1.0, 2.0, 3.0, 4.0], [0, 0, 0, 0], 2.0),
        ([1.0, np.nan, 3.0], [0, 0, 0], 1.0),
        ([1.0, np.inf], [0, 0], np.inf),
        ([1.0, np.nan], [0, 0], np.nan),
    ],
)
def test_latest_is_the_median_of_the_last_epoch_or_its_breakdown(
    values, epochs, expected
):
    readings, series = readings_of(values, epochs)
    np.testing.assert_equal(readings.latest(series), expected)


@pytest.mark.parametrize(
    "epochs", [[0, 0, 1, 3], [0, 1, 0, 3]], ids=["in order", "counted anew"]
)
def test_at_epochs_gives_the_last_reading_of_each(epochs):
    readings, series = readings_of([1.0, 2.0, 3.0, 4.0], epochs)
    last = {
        epoch: float(value) for epoch, value in zip(epochs, range(1, 5), strict=True)
    }
    expected = [last.get(epoch, np.nan) for epoch in (-1, 0, 1, 2, 3, 9)]
    found = readings.at_epochs(series, [-1, 0, 1, 2, 3, 9])
    np.testing.assert_array_equal(found, expected)


def test_at_epochs_of_nothing_is_nan():
    readings, series = readings_of([])
    assert np.isnan(readings.at_epochs(series, [0, 1])).all()


def test_metrics_are_named_as_keras_names_them():
    readings = Readings(full_record(layers=1))
    assert readings.metrics == ("loss", "accuracy", "top_k")
    assert readings.training_series("loss") == (Series("train_loss_eval"), True)
    assert readings.training_series("top_k") == (Series("top_k"), False)
    assert readings.validation_series("loss") == Series("val_loss")
    assert readings.validation_series("nothing") is None


def test_layers_keep_the_order_of_the_model():
    record = full_record(layers=2)
    record.metadata["layers"] = ["input", "dense_1"]
    assert Readings(record).layers == ("input", "dense_1", "dense_0")


def test_first_tensor_computed_is_named_among_those_of_a_step():
    record = TrainingRecord()
    for variable, tensor in (
        ("kernel", "weight"),
        ("kernel", "gradient"),
        ("", "activation_gradient"),
        ("", "activation"),
    ):
        for layer in ("first", "last"):
            series = Series("nonfinite_count", layer, variable, tensor)
            record.add(series, 0, step=3, epoch=1)
            record.add(series, 2, step=4, epoch=1)
    names = []
    while (first := Readings(record).first_nonfinite) is not None:
        assert (first.step, first.epoch, first.count) == (4, 1, 2)
        names.append(first.series.tensor_name)
        left = [one for one in record.series if one != first.series]
        counts = [record.values(*series)[2] for series in left]
        steps = record.values(*first.series)[0]
        record = TrainingRecord()
        if left:
            record.append(left, steps, [1, 1], np.stack(counts, axis=1))
    assert names == [
        "first/activation",
        "last/activation",
        "last/activation gradient",
        "first/activation gradient",
        "last/kernel gradient",
        "first/kernel gradient",
        "first/kernel",
        "last/kernel",
    ]


def test_readings_are_taken_from_wherever_they_are(tmp_path):
    record = TrainingRecord(tmp_path / "record.sqlite")
    record.add("loss", 1.0, step=0, epoch=0)
    record.flush()
    readings = Readings.of(record)
    assert readings.record is record
    assert Readings.of(readings) is readings
    assert Readings.of(tmp_path).record.series == (Series("loss"),)
