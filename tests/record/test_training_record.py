import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord
from keras_trainkit.record.vocabulary import Band, Measure, measure_named


def filled(path=None):
    record = TrainingRecord(path)
    record.append(
        [Series("loss"), Series("gradient_norm", "dense", "kernel")],
        np.arange(3),
        np.zeros(3),
        np.array([[1.0, 2.0], [np.nan, np.inf], [3.0, -np.inf]], np.float32),
        present=np.array([[True, True], [True, False], [True, True]]),
    )
    record.add("val_loss", 0.5, step=2, epoch=0)
    record.add_image("filters", 0, b"png")
    record.metadata["seed"] = 3
    return record


def test_frame_is_tidy_and_keeps_values_that_are_not_finite():
    frame = filled().to_frame()
    names = ["step", "epoch", "fit", "measure", "layer", "variable", "value"]
    assert list(frame) == names
    assert len(frame) == 6
    assert frame.step.is_monotonic_increasing
    norms = filled().to_frame(measure="gradient_norm", layer="dense")
    np.testing.assert_array_equal(norms.value, [2.0, -np.inf])
    assert filled().to_frame(measure="loss").value.isna().sum() == 1


def test_stored_record_equals_the_one_in_memory(tmp_path):
    record = filled(tmp_path / "record.sqlite")
    record.close()
    stored = TrainingRecord.open(tmp_path)
    assert stored.to_frame().equals(record.to_frame())
    assert stored.metadata == {"seed": 3}
    assert stored.images() == record.images()
    assert stored.layers == ("dense",)


def test_record_can_be_read_while_it_is_written(tmp_path):
    record = filled(tmp_path / "record.sqlite")
    record.flush()
    assert len(TrainingRecord.open(tmp_path).to_frame()) == 6
    record.add("val_loss", 0.4, step=5, epoch=1)
    assert len(TrainingRecord.open(tmp_path).to_frame()) == 6
    record.flush()
    assert len(TrainingRecord.open(tmp_path).to_frame()) == 7
    record.close()


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["", "a", "ü\n"]),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=20,
        unique_by=lambda row: row[:2],
    )
)
def test_every_number_survives_the_file(tmp_path_factory, rows):
    directory = tmp_path_factory.mktemp("run")
    record = TrainingRecord(directory / "record.sqlite")
    for step, layer, value in rows:
        record.add("loss", value, step=step, epoch=0, layer=layer)
    record.close()
    frame = TrainingRecord.open(directory).to_frame()
    for step, layer, value in rows:
        found = frame[(frame.step == step) & (frame.layer == layer)].value
        np.testing.assert_array_equal(found, [value])
    assert len(frame) == len(rows)


def test_bad_files_are_refused_with_their_path(tmp_path):
    text = tmp_path / "text.sqlite"
    text.write_text("not a database at all, and long enough to be looked at" * 20)
    foreign = tmp_path / "foreign.sqlite"
    sqlite3.connect(foreign).execute("CREATE TABLE t (a)").connection.close()
    damaged = tmp_path / "damaged.sqlite"
    filled(damaged).close()
    connection = sqlite3.connect(damaged)
    connection.execute("UPDATE blocks SET readings = x'00'")
    connection.commit()
    connection.close()
    for path, message in (
        (tmp_path / "nothing", "must be a record file"),
        (text, "Nothing in it can be read"),
        (foreign, "written by keras_trainkit"),
        (damaged, "does not match its checksum"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            TrainingRecord.open(path)
        assert str(path) in str(error.value)
    with pytest.raises(ValueError, match="never written over"):
        TrainingRecord(damaged)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="Received: measure='lost'"):
        filled().to_frame(measure="lost")
    with pytest.raises(ValueError, match="Received: layer='dance'"):
        filled().to_frame(layer="dance")
    assert filled().to_frame(measure="dead_fraction").empty


def test_names_of_every_kind_keep_apart_and_survive_the_file(tmp_path):
    record = TrainingRecord(tmp_path / "record.sqlite")
    kinds = [
        Series("nonfinite_count", "dense", tensor="activation"),
        Series("nonfinite_count", "dense", "kernel", "gradient"),
        Series("overfitting_gap", metric="loss"),
        Series("activation_histogram", "dense", bin="-inf:1e-08"),
        Series("val_loss", training="2"),
    ]
    for value, series in enumerate(kinds):
        record.add(series, value, step=0, epoch=0)
    record.add("overfitting_gap", 9, step=1, epoch=0, metric="loss")
    record.close()
    stored = TrainingRecord.open(tmp_path)
    assert stored.series == tuple(kinds)
    assert stored.to_frame().equals(record.to_frame())
    names = ["tensor", "metric", "bin", "training"]
    assert list(stored.to_frame())[-5:] == [*names, "value"]
    assert list(stored.to_frame(measure="overfitting_gap"))[-2:] == ["metric", "value"]
    assert stored.values("overfitting_gap", metric="loss")[2].tolist() == [2.0, 9.0]
    assert kinds[3].edges == (-np.inf, 1e-8)
    assert [series.tensor_name for series in kinds] == [
        "dense/activation",
        "dense/kernel gradient",
        "loss",
        "dense",
        "",
    ]


@pytest.mark.parametrize(
    ("recorded", "initial", "expected"),
    [
        ([], 0, (0, 0)),
        ([], 5, (0, 5)),
        ([0, 0, 1, 1], 0, (4, 2)),
        ([0, 0, 1, 1], 2, (4, 2)),
        ([0, 0, 1, 1], 7, (4, 7)),
        ([0, 1, 2], 2, (3, 2)),  # broken off in epoch 2, which is done again
        ([0, 1, 2], 1, (3, 3)),
    ],
)
def test_a_later_fit_goes_on_where_the_record_is(recorded, initial, expected):
    record = TrainingRecord()
    for step, epoch in enumerate(recorded):
        record.add("loss", 1.0, step=step, epoch=epoch)
    fit = record.begin_fit(initial, started="now")
    assert (fit.step, fit.epoch, fit.about["started"]) == (*expected, "now")
    assert record.fits[-1] == fit
    assert len(record.fits) == (2 if recorded else 1)


def test_frame_and_file_tell_which_fit_a_number_is_of(tmp_path):
    record = TrainingRecord(tmp_path / "record.sqlite")
    record.begin_fit()
    record.add("loss", 1.0, step=0, epoch=0)
    fit = record.begin_fit(step=5)
    record.add("loss", 0.5, step=fit.step, epoch=fit.epoch)
    record.close()
    stored = TrainingRecord.open(tmp_path)
    assert stored.to_frame().fit.tolist() == [0, 1]
    assert [(fit.step, fit.epoch) for fit in stored.fits] == [(0, 0), (5, 1)]
    assert [fit.step for fit in TrainingRecord().fits] == [0]


def test_a_stored_record_is_gone_on_with(tmp_path):
    record = filled(tmp_path / "record.sqlite")
    record.close()
    for number in range(2):
        resumed = TrainingRecord.resume(tmp_path)
        fit = resumed.begin_fit()
        assert fit.step == 3 + number
        resumed.add("val_loss", 0.4, step=fit.step, epoch=fit.epoch)
        resumed.add("new", 1.0, step=fit.step, epoch=fit.epoch, layer="ü")
        resumed.add_image("filters", fit.epoch, b"png")
        resumed.close()
    stored = TrainingRecord.open(tmp_path)
    assert stored.values("val_loss")[2].tolist() == [0.5, 0.4, 0.4]
    assert stored.values("new", "ü")[0].tolist() == [3, 4]
    assert len(stored.images()) == 3
    assert len(stored.fits) == 3
    assert stored.metadata["seed"] == 3


def test_a_measure_of_ones_own_goes_with_the_record(tmp_path):
    own = Measure(
        "my_sharpness", of="layer", when="epoch", unit="s", healthy=Band(0, 1)
    )
    record = filled(tmp_path / "record.sqlite")
    record.describe(own, measure_named("loss"))
    record.close()
    stored = TrainingRecord.open(tmp_path)
    assert stored.measure("my_sharpness") == own
    assert list(stored.metadata["measures"]) == ["my_sharpness"]
    assert stored.measure("update_ratio") == measure_named("update_ratio")
    assert stored.measure("val_auc").when == "epoch"


def test_a_record_is_taken_from_wherever_it_is(tmp_path):
    record = filled(tmp_path / "record.sqlite")
    record.flush()
    assert TrainingRecord.of(record) is record
    for path in (tmp_path, tmp_path / "record.sqlite", str(tmp_path)):
        assert TrainingRecord.of(path).metadata == {"seed": 3}
    with pytest.raises(ValueError, match="Received: path=3"):
        TrainingRecord.of(3)
