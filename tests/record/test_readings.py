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


def scaled_record(bad, steps, losses=None, **metadata):
    """The record of a run whose gradients were not finite at some of its steps."""
    record = TrainingRecord()
    record.metadata.update({"loss_scaled": True} | metadata)
    gradient = Series("nonfinite_count", "first", "kernel", "gradient")
    losses = np.ones(len(steps)) if losses is None else losses
    counts = np.isin(steps, bad)
    rows = np.stack([losses, counts], axis=1)
    record.append([Series("loss"), gradient], steps, np.zeros(len(steps)), rows)
    return record


@pytest.mark.parametrize(
    ("bad", "every", "first"),
    [
        ([0, 1, 2, 77], 1, None),
        (range(29), 1, None),
        (range(10, 40), 1, 10),
        ([0, 50], 50, None),  # each reading may have met an overflow of its own
        (range(0, 250, 50), 50, 0),
    ],
)
def test_gradients_that_loss_scaling_skips_count_only_if_they_go_on(bad, every, first):
    steps = np.arange(0, 500, every)
    readings = Readings(scaled_record(list(bad), steps))
    found = readings.first_nonfinite
    assert (found and found.step) == first
    expected = [] if first is not None else list(bad)
    assert readings.overflow_steps.tolist() == expected
    unscaled = Readings(scaled_record(list(bad), steps, loss_scaled=False))
    assert unscaled.first_nonfinite.step == bad[0]
    assert not len(unscaled.overflow_steps)


def test_overflow_is_excused_only_where_the_loss_was_finite():
    losses = np.where(np.arange(50) == 7, np.nan, 1.0)
    readings = Readings(scaled_record([2, 7], np.arange(50), losses))
    assert readings.first_nonfinite.step == 7
    assert readings.overflow_steps.tolist() == [2]
