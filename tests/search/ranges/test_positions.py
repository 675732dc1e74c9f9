import keras_tuner
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.search.ranges.positions import (
    LOWER,
    UPPER,
    between,
    is_logarithmic,
    is_range,
    is_scale,
    natural_end,
    on_step,
    options,
    position,
    value_at,
)
from keras_trainkit.search.ranges.widening import next_value, widened


def declared(kind, *arguments, **named):
    hp = keras_tuner.HyperParameters()
    getattr(hp, kind)("x", *arguments, **named)
    return hp.space[0]


LINEAR = declared("Float", -2.0, 6.0)
LOG = declared("Float", 1e-6, 1e1, sampling="log")
REVERSE = declared("Float", 1.0, 100.0, sampling="reverse_log")
COUNT = declared("Int", 4, 64)
FACTORS = declared("Int", 4, 1024, sampling="log")
STEPS = declared("Float", 0.1, 0.9, step=0.2)
POWERS = declared("Int", 8, 128, step=2, sampling="log")
SETTINGS = settings(deadline=None, derandomize=True)


@SETTINGS
@given(st.sampled_from([LINEAR, LOG, REVERSE]), st.floats(0, 1))
def test_position_and_value_are_opposites(hp, place):
    assert position(hp, value_at(hp, place)) == pytest.approx(place, abs=1e-9)


@SETTINGS
@given(
    st.sampled_from([LINEAR, LOG, REVERSE, COUNT, FACTORS, STEPS, POWERS]),
    st.floats(0, 0.5),
    st.floats(0.5, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_narrower_range_draws_values_of_the_range(hp, low, high, probability):
    narrow = between(hp, low, high)
    assert hp.min_value <= narrow.min_value <= narrow.max_value <= hp.max_value
    value = narrow.prob_to_value(probability)
    tiny = 1e-9 * abs(hp.max_value)
    assert hp.min_value - tiny <= value <= hp.max_value + tiny
    if hp.step is not None:
        allowed = [hp.prob_to_value((index + 0.5) / 50) for index in range(50)]
        assert value == pytest.approx(min(allowed, key=lambda one: abs(one - value)))


def test_between_keeps_what_is_asked_for():
    narrow = between(LOG, 2 / 7, 4 / 7)
    assert narrow.min_value == pytest.approx(1e-4)
    assert narrow.max_value == pytest.approx(1e-2)
    assert narrow.sampling == "log"
    wide = between(LOG, 0.0, 8 / 7)
    assert wide.max_value == pytest.approx(1e2)
    few = between(COUNT, 0.26, 0.31)
    assert (few.min_value, few.max_value) == (20, 23)


@pytest.mark.parametrize(
    ("hp", "end", "natural"),
    [
        (declared("Float", 0.0, 0.5), LOWER, True),
        (declared("Float", 0.0, 0.5), UPPER, False),
        (declared("Float", 0.2, 1.0), UPPER, True),
        (declared("Float", -1.0, 1.0), UPPER, False),
        (declared("Float", 1e-7, 1.0, sampling="log"), UPPER, False),
        (declared("Int", 1, 5), LOWER, True),
        (declared("Int", 0, 1), UPPER, False),
        (REVERSE, UPPER, True),
        (declared("Choice", [0, 1, 2]), LOWER, True),
        (declared("Choice", [0, 1, 2]), UPPER, False),
    ],
)
def test_natural_ends(hp, end, natural):
    assert natural_end(hp, end) is natural


@pytest.mark.parametrize(
    ("hp", "end", "expected"),
    [
        (LOG, UPPER, (1e-6, 2000)),
        (LOG, LOWER, (5e-9, 1e1)),
        (declared("Float", 1e-2, 1e-1, sampling="log"), UPPER, (1e-2, 1.0)),
        (LINEAR, UPPER, (-2, 10)),
        (LINEAR, LOWER, (-6, 6)),
        (declared("Float", 0.1, 0.5), LOWER, (0, 0.5)),
        (declared("Float", 0.0, 0.7), UPPER, (0, 0.85)),
        (COUNT, UPPER, (4, 94)),
        (FACTORS, LOWER, (1, 1024)),
        (POWERS, UPPER, (8, 1024)),
    ],
)
def test_widened_range_reads_well(hp, end, expected):
    assert widened(hp, end) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "end", "expected"),
    [
        ([0.5, 0.9, 0.95, 0.99], UPPER, 0.998),
        ([0.5, 0.9, 0.95, 0.99], LOWER, 0.1),
        ([32, 64, 128], UPPER, 256),
        ([32, 64, 128], LOWER, 16),
        ([1e-4, 1e-3, 1e-2], UPPER, 0.1),
        ([10, 11, 12], UPPER, 13),
        ([1.0, 1.2, 1.4], LOWER, 0.8),
    ],
)
def test_next_value_goes_on_as_the_scale_does(values, end, expected):
    assert next_value(declared("Choice", values), end) == pytest.approx(expected)


def test_kinds_are_told_apart():
    names = declared("Choice", ["a", "b", "c"])
    units = declared("Choice", [32, 64, 128])
    assert [is_range(hp) for hp in (LINEAR, COUNT, units)] == [True, True, False]
    assert [is_scale(hp) for hp in (units, names, LOG)] == [True, False, False]
    assert [is_logarithmic(hp) for hp in (LOG, units, LINEAR)] == [True, True, False]
    assert options(names) == ["a", "b", "c"]
    assert options(declared("Boolean")) == [False, True]
    assert options(LOG) == []


@pytest.mark.parametrize(
    ("hp", "value", "expected"),
    [
        (STEPS, 0.39, 0.3),
        (STEPS, 0.41, 0.5),
        (STEPS, -0.35, -0.3),
        (STEPS, 1.25, 1.3),
        (POWERS, 22, 16),
        (POWERS, 23, 32),
        (POWERS, 3, 4),
        (POWERS, 400, 512),
        (declared("Int", 2, 64, step=2, sampling="log"), 0.2, 1),
        (declared("Int", 48, 768, step=4, sampling="log"), 1, 3),
        (declared("Float", 2.0, 64.0, step=2, sampling="log"), 0.2, 0.25),
        (declared("Float", 1.0, 16.0, step=2, sampling="reverse_log"), 5.3, 5.3),
    ],
)
def test_the_nearest_step_is_counted_from_the_lower_end(hp, value, expected):
    assert on_step(hp, value) == pytest.approx(expected)
