"""A line before the first step or epoch of each later fit."""

import types

import pytest

from keras_trainkit.record.series import Fit
from keras_trainkit.report.drawing.fit_marks import mark_fits
from keras_trainkit.report.drawing.specification import Specification

FITS = (Fit(0, 0, {}), Fit(30, 3, {}), Fit(70, 8, {}))


def marked(over, fits=FITS, **layout):
    figure = Specification("one", "One", "It is.", [], layout, over=over)
    mark_fits(types.SimpleNamespace(record=types.SimpleNamespace(fits=fits)), figure)
    return figure.layout


@pytest.mark.parametrize(
    ("over", "places"), [("step", [29.5, 69.5]), ("epoch", [2.5, 7.5])]
)
def test_each_later_fit_has_a_line_before_its_beginning(over, places):
    layout = marked(over)
    assert [(one["x0"], one["x1"]) for one in layout["shapes"]] == [
        (place, place) for place in places
    ]
    assert [(one["text"], one["x"]) for one in layout["annotations"]] == [
        ("fit 2", places[0]),
        ("fit 3", places[1]),
    ]


def test_lines_stand_beside_what_was_drawn_before():
    shapes = [{"type": "rect"}]
    layout = marked("step", shapes=shapes, annotations=[{"text": "own"}])
    assert [one["type"] for one in layout["shapes"]] == ["rect", "line", "line"]
    assert [one["text"] for one in layout["annotations"]] == ["own", "fit 2", "fit 3"]
    assert shapes == [{"type": "rect"}]


def test_a_single_fit_and_another_axis_have_no_lines():
    assert marked("step", FITS[:1]) == {}
    assert marked("") == {}
