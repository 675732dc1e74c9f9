"""Fits are marked so that steps and epochs of one record go on."""

import pytest

from keras_trainkit.record.fits import fits_of, mark_fit
from keras_trainkit.record.frame import tidy_frame
from keras_trainkit.record.series import Fit, Series


@pytest.mark.parametrize(
    ("last", "initial", "expected"),
    [
        (-1, 0, 0),  # the first
        (-1, 3, 3),  # the first, and Keras begins at 3
        (4, 0, 5),  # Keras counts from 0 again
        (4, 5, 5),  # Keras counts on
        (4, 2, 5),  # Keras goes back behind what is recorded
        (4, 4, 4),  # its last epoch was not finished
    ],
)
def test_epochs_go_on_behind_the_last_unless_keras_counts_on(last, initial, expected):
    metadata = {}
    fit = mark_fit(metadata, last, initial, 10 * (last + 1), {"started": "now"})
    assert (fit.step, fit.epoch) == (10 * (last + 1), expected)
    assert fit.about["started"] == "now"
    assert fits_of(metadata)[-1] == fit


def test_what_was_recorded_before_fits_were_marked_is_the_first():
    metadata = {}
    mark_fit(metadata, 2, 0, 30, {})
    assert [(fit.step, fit.epoch) for fit in fits_of(metadata)] == [(0, 0), (30, 3)]


@pytest.mark.parametrize("marked", [{}, {"fits": []}, {"fits": "odd"}], ids=str)
def test_without_marks_there_is_one_fit(marked):
    assert fits_of(marked) == (Fit(0, 0, {}),)


def test_a_frame_counts_fits_and_shows_rare_names_where_there_are_any():
    loss, metric = Series("loss"), Series("metric", metric="accuracy")
    readings = {loss: ([0, 9, 10], [0, 0, 1], [3.0, 2.0, 1.0])}
    frame = tidy_frame(readings, [0, 10])
    assert list(frame) == [
        "step",
        "epoch",
        "fit",
        "measure",
        "layer",
        "variable",
        "value",
    ]
    assert frame["fit"].tolist() == [0, 0, 1]
    both = tidy_frame(readings | {metric: ([9], [0], [0.5])}, [0])
    assert both["metric"].tolist() == ["", "", "accuracy", ""]
    assert both["step"].tolist() == [0, 9, 9, 10]
    assert len(tidy_frame({}, [0])) == 0
