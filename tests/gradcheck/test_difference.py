import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_trainkit as tk
from keras_trainkit.gradcheck.difference import relative_error

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


@settings(deadline=None, derandomize=True)
@given(NUMBERS, NUMBERS, st.sampled_from([0.25, 2.0, 1024.0]))
def test_relative_error_ignores_common_scale_and_order(left, right, scale):
    one = relative_error(np.array([left]), np.array([right]))
    assert one == relative_error(np.array([right]), np.array([left]))
    scaled = relative_error(np.array([scale * left]), np.array([scale * right]))
    assert scaled == pytest.approx(one)
    assert 0.0 <= one[0] <= 2.0


def test_relative_error_of_two_zeros_is_zero():
    assert relative_error(np.zeros(2), np.zeros(2)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_steps_follow_the_scale_of_the_loss_and_of_the_values(scale):
    check = tk.gradcheck(lambda x: scale * (x / scale) ** 3, scale * np.ones(4))
    assert check.ok, str(check)


def test_a_loss_near_the_float_limits_is_warned_of():
    check = tk.gradcheck(lambda x: 1e30 * x**2, np.ones(3))
    assert any("rescale" in note for note in check.notes)


def test_a_shifted_kink_is_avoided_by_a_smaller_step():
    check = tk.gradcheck(lambda x: abs(x - 1.0), np.array([1.0 + 1e-5]), tolerance=1e-9)
    entry = check.entries[0]
    assert entry.verdict == "ok"
    assert entry.step < 1e-5
