import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_trainkit.report.drawing.decimation import decimate, smooth
from tests.tolerances import FLOAT64

SETTINGS = settings(deadline=None, derandomize=True)
SERIES = arrays.arrays(
    np.float64, st.integers(0, 400), elements=st.floats(width=32, allow_nan=True)
)
POINTS = st.integers(7, 120)


def thinned(values, points):
    steps = np.arange(len(values)) * 3
    return steps, *decimate(steps, values, points)


@SETTINGS
@given(SERIES, POINTS)
def test_decimation_keeps_rows_and_their_order(values, points):
    steps, kept_steps, kept = thinned(values, points)
    assert len(kept) <= max(points, 0)
    assert (np.diff(kept_steps) > 0).all()
    np.testing.assert_array_equal(kept, values[np.searchsorted(steps, kept_steps)])


@SETTINGS
@given(SERIES, POINTS)
def test_decimation_keeps_both_ends_and_both_extremes(values, points):
    _, kept_steps, kept = thinned(values, points)
    if len(values):
        assert kept_steps[0] == 0
        assert kept_steps[-1] == 3 * (len(values) - 1)
    finite, kept_finite = values[np.isfinite(values)], kept[np.isfinite(kept)]
    if len(finite):
        assert kept_finite.min() == finite.min()
        assert kept_finite.max() == finite.max()


@SETTINGS
@given(SERIES, POINTS)
def test_decimation_keeps_the_first_of_each_kind_of_nonfinite(values, points):
    steps, kept_steps, kept = thinned(values, points)
    for kind in (np.isnan, np.isposinf, np.isneginf):
        assert kind(kept).any() == kind(values).any()
        if kind(values).any():
            assert kept_steps[kind(kept)][0] == steps[kind(values)][0]


@SETTINGS
@given(SERIES, POINTS)
def test_decimation_leaves_no_wide_gap(values, points):
    steps, kept_steps, _ = thinned(values, points)
    buckets = (points - 2) // 5
    width = -(-len(steps) // buckets)
    if len(steps) > points:
        assert np.diff(kept_steps).max() <= 3 * 2 * width


def test_decimation_keeps_short_series_whole():
    steps, values = np.arange(600), np.random.default_rng(0).normal(size=600)
    assert decimate(steps, values)[1] is values


def test_decimation_keeps_a_spike_of_one_step():
    values = np.zeros(100_000)
    values[54_321] = 1.0
    steps, kept = decimate(np.arange(100_000), values)
    assert steps[kept == 1.0].tolist() == [54_321]
    assert len(steps) <= 600


@pytest.mark.parametrize("count", [8, 97, 300, 301, 5000])
def test_smoothing_leaves_a_constant_alone(count):
    steps, means, window = smooth(np.arange(count), np.full(count, 3.5))
    assert len(steps) == len(means) <= 300
    np.testing.assert_allclose(means, 3.5, rtol=FLOAT64)
    assert 3 <= window < count


def test_smoothing_leaves_too_few_readings_alone():
    assert len(smooth(np.arange(7), np.ones(7))[0]) == 0


def test_smoothing_is_the_weighted_mean_of_its_window():
    values = np.random.default_rng(0).normal(size=40)
    steps, means, window = smooth(np.arange(40), values)
    assert steps.tolist() == list(range(40))
    assert window == 3
    expected = (values[9] + 2 * values[10] + values[11]) / 4
    np.testing.assert_allclose(means[10], expected, rtol=FLOAT64)
    # At the ends the window is cut off, not filled with zeros.
    np.testing.assert_allclose(means[0], (2 * values[0] + values[1]) / 3, rtol=FLOAT64)


@SETTINGS
@given(SERIES)
def test_smoothing_stays_between_the_extremes(values):
    _, means, _ = smooth(np.arange(len(values)), values)
    finite = values[np.isfinite(values)].astype(np.float64)
    drawn = means[np.isfinite(means)]
    if len(drawn):
        slack = FLOAT64 * np.abs(finite).max()
        assert drawn.min() >= finite.min() - slack
        assert drawn.max() <= finite.max() + slack


def test_smoothing_ends_where_nothing_is_finite_any_more():
    values = np.ones(300)
    values[100:] = np.nan
    _, means, _ = smooth(np.arange(300), values)
    assert np.isfinite(means[:100]).all()
    assert np.isnan(means[100:]).all()
