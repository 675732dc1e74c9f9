"""What no line can show is marked once, where it begins."""

import math

import numpy as np
import pytest

from keras_trainkit.record import Readings, Series, TrainingRecord
from keras_trainkit.report.drawing.declaration import Declaration, is_shown
from keras_trainkit.report.drawing.marks import Mark, mark_traces, series_marks
from keras_trainkit.report.drawing.specification import decode

NAN, INF = math.nan, math.inf


def marks_of(values, logarithmic=True, measure="gradient_norm", weights=None):
    record = TrainingRecord()
    steps = 10 * np.arange(len(values))
    columns = [Series(measure, "dense")]
    table = np.array(values)[:, None]
    if weights is not None:
        columns.append(Series("weight_norm", "dense"))
        table = np.column_stack([values, weights])
    record.append(columns, steps, np.zeros(len(values)), table)
    return series_marks(Readings(record), columns[0], "a<b", logarithmic)


def places(marks):
    return [(mark.kind, mark.step) for mark in marks]


def test_a_mark_stands_where_readings_begin_to_be_no_line():
    found = marks_of([1.0, 0.0, 0.0, NAN, INF, 2.0, INF, 3.0, -1.0, 0.0])
    assert places(found) == [
        ("zero", 10),
        ("not finite", 30),
        ("not finite", 60),
        ("zero", 80),
    ]
    assert places(marks_of([0.0, 0.0, 1.0])) == [("zero", 0)]
    assert found[0].text == "a&lt;b<br>becomes 0"
    assert [mark.text.split()[-1] for mark in found] == ["0", "nan", "inf", "-1"]


def test_on_a_linear_axis_zero_is_a_place_like_others():
    found = marks_of([0.0, -INF, -2.0, NAN], logarithmic=False)
    assert places(found) == [("not finite", 10), ("not finite", 30)]
    assert [mark.height for mark in found] == [0.0, -2.0]


def test_a_mark_stands_at_the_height_where_the_line_breaks_off_or_will_begin():
    before, within, after = marks_of([NAN, 4.0, 5.0, INF, 6.0, 0.0])
    assert before.height == 4.0
    assert within.height == 5.0
    assert math.isnan(after.height)
    assert marks_of([NAN, 0.0])[0].height == 1.0


@pytest.mark.parametrize(
    ("value", "weights", "measure", "kind"),
    [
        (INF, [1.0, 0.0, 1.0], "update_ratio", "was 0 before"),
        (INF, [0.0, 1.0, 0.0], "update_ratio", "not finite"),
        (NAN, [1.0, 0.0, 1.0], "update_ratio", "not finite"),
        (INF, [1.0, 0.0, 1.0], "gradient_norm", "not finite"),
        (INF, None, "update_ratio", "not finite"),
    ],
)
def test_a_ratio_to_nothing_is_told_from_what_is_wrong(value, weights, measure, kind):
    (mark,) = marks_of([0.5, value, 0.5], True, measure, weights)
    assert (mark.kind, mark.step) == (kind, 10)
    assert ("for it was 0" in mark.text) == (kind == "was 0 before")


def test_a_series_has_twenty_marks_at_most():
    assert places(marks_of([1.0, 0.0] * 30))[-1] == ("zero", 390)


def test_each_kind_is_a_trace_and_zeros_lie_on_the_floor():
    marks = [
        Mark("zero", 1, NAN, "one"),
        Mark("not finite", 2, 5.0, "two"),
        Mark("zero", 3, NAN, "three"),
    ]
    infinite, zero = mark_traces(marks, 0.25)
    assert (infinite["name"], zero["name"]) == ("not finite", "zero")
    assert decode(infinite["x"]).tolist() == [2]
    assert decode(infinite["y"]).tolist() == [5.0]
    assert decode(zero["x"]).tolist() == [1, 3]
    assert decode(zero["y"]).tolist() == [0.25, 0.25]
    assert zero["text"] == ["one", "three"]
    assert mark_traces([], 0.25) == []


def test_a_declared_figure_shows_its_measures():
    assert not is_shown("measure_of_no_figure")
    Declaration("Words", 0, lambda readings: None, ("measure_of_no_figure",))
    assert is_shown("measure_of_no_figure")
    assert not is_shown("measure_of_no")
