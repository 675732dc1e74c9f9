"""A part of a schedule is a number or any schedule, of one time or of many."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.schedules import Linear
from keras_trainkit.schedules.schedule import check_part, part_value
from tests.tolerances import FLOAT32, FLOAT64

TIME = np.array([0.0, 1.0, 4.0])


@pytest.mark.parametrize("time", [TIME, TIME[2]], ids=["many", "one"])
@pytest.mark.parametrize(
    ("part", "expected", "tolerance"),
    [
        (0.1, lambda time: 0.1 + 0 * time, FLOAT64),
        (Linear(0.1, 0.3, steps=2), lambda t: 0.1 + 0.1 * np.minimum(t, 2), FLOAT64),
        # One of Keras counts in float32.
        (
            keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5),
            lambda time: 0.1 * 0.5**time,
            FLOAT32,
        ),
    ],
    ids=["number", "own", "of Keras"],
)
def test_a_part_has_a_float64_for_each_time(part, expected, tolerance, time):
    found = part_value(part, tf.constant(time, tf.float64))
    assert found.dtype == tf.float64
    assert found.shape == np.shape(time)
    np.testing.assert_allclose(found, expected(time), rtol=tolerance)


def test_a_part_is_a_schedule_or_a_number_from_zero_on():
    schedule = Linear(0.0, 1.0, steps=2)
    assert check_part("first", schedule) is schedule
    found = check_part("first", 0)
    assert (found, type(found)) == (0.0, float)
    for wrong in (-1.0, "linear", None, lambda step: step):
        with pytest.raises(ValueError, match="`first` must be a number >= 0 or a"):
            check_part("first", wrong)
