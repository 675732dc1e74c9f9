import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.second_order.line_search import (
    FLATTER,
    SUFFICIENT,
    Trial,
    strong_wolfe,
)


def search(function, slope, first=1.0, rounding=0.0):
    start = Trial(0.0, function(0.0), slope(0.0))
    tried = []

    def at(length):
        tried.append(Trial(length, function(length), slope(length)))
        return tried[-1]

    return start, strong_wolfe(at, start, first, rounding=rounding), tried


def satisfies(start, found):
    return (
        found.value <= start.value + SUFFICIENT * found.length * start.slope
        and abs(found.slope) <= -FLATTER * start.slope
    )


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.floats(-3, 3),  # decimal power of where the minimum is
    st.floats(-4, 4),  # of the first length
    st.floats(0, 5),
    st.floats(0.1, 9),
)
def test_line_search_satisfies_the_strong_wolfe_conditions(place, first, wave, pace):
    # A bowl with waves on it, of many minima.
    minimum = 10**place

    def function(t):
        return (t - minimum) ** 2 / minimum + wave * math.sin(pace * t / minimum) ** 2

    def slope(t):
        waves = wave * pace / minimum * math.sin(2 * pace * t / minimum)
        return 2 * (t - minimum) / minimum + waves

    start, found, _ = search(function, slope, 10**first)
    assert satisfies(start, found)


FUNCTIONS = {
    "wall of infinity": (
        lambda t: t * t - t if t < 0.7 else math.inf,
        lambda t: 2 * t - 1,
    ),
    "wall of NaN": (
        lambda t: -math.log1p(-t) - 3 * t if t < 1 else math.nan,
        lambda t: 1 / (1 - t) - 3 if t < 1 else math.nan,
    ),
    "corner": (lambda t: abs(t - 0.3), lambda t: -1.0 if t < 0.3 else 1.0),
    "flat far out": (lambda t: 1 / (1 + t), lambda t: -1 / (1 + t) ** 2),
}


@pytest.mark.parametrize("name", ["wall of infinity", "wall of NaN", "flat far out"])
@pytest.mark.parametrize("first", [1e-3, 1.0, 1e3])
def test_line_search_survives(name, first):
    start, found, tried = search(*FUNCTIONS[name], first)
    assert satisfies(start, found)
    assert len(tried) <= 25


def test_line_search_gives_the_lowest_where_no_length_satisfies():
    # The slope jumps from -1 to 1: no point is flat.
    start, found, tried = search(*FUNCTIONS["corner"], 1.0)
    assert 0 < found.length < 1
    assert found.value == min(trial.value for trial in tried) < start.value


def test_line_search_does_not_end_where_the_loss_has_no_minimum():
    start, found, tried = search(lambda t: -t, lambda t: -1.0)
    assert len(tried) <= 25
    assert found.value < start.value


def test_line_search_stays_where_nothing_is_lower():
    start, found, _ = search(lambda t: t, lambda t: -1.0)  # a wrong gradient
    assert found == start


def test_line_search_trusts_the_slope_within_rounding():
    def rounded(t):
        return float(np.float32(1.0 + 1e-9 * (t - 1) ** 2))

    start, found, _ = search(
        rounded, lambda t: 2e-9 * (t - 1), 0.5, rounding=float(np.finfo("f4").eps)
    )
    assert found.length > 0
    assert abs(found.slope) <= -FLATTER * start.slope
