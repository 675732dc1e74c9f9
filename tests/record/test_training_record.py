import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.record.training_record import Series, TrainingRecord


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
    assert list(frame) == ["step", "epoch", "measure", "layer", "variable", "value"]
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
        (text, "undamaged"),
        (foreign, "written by keras_trainkit"),
        (damaged, "undamaged"),
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


def test_first_tensor_computed_is_named_among_those_of_a_step():
    record = TrainingRecord()
    for variable in ("kernel", "kernel gradient", "activation_gradient", "activation"):
        for layer in ("first", "last"):
            record.add(
                "nonfinite_count", 2, step=4, epoch=1, layer=layer, variable=variable
            )
    first = record.first_nonfinite()
    assert (first["layer"], first["variable"], first["step"]) == (
        "first",
        "activation",
        4,
    )
    assert TrainingRecord().first_nonfinite() is None
