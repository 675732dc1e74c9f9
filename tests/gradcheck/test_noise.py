import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_trainkit.gradcheck.noise import POINTS, noise_level


@pytest.mark.parametrize("level", [1e-16, 1e-7, 1.0])
def test_noise_level_finds_the_noise_on_a_parabola(level):
    random = np.random.default_rng(0)
    points = np.arange(POINTS)
    found = [
        noise_level(level * (0.1 * points**2 + random.normal(size=POINTS)))
        for _ in range(200)
    ]
    known = [one for one in found if one is not None]
    assert len(known) > 100
    # Nine points estimate a standard deviation to within about a third.
    assert np.median(known) == pytest.approx(level, rel=0.35)


def test_noise_level_is_silent_on_a_smooth_function():
    assert noise_level(np.exp(0.1 * np.arange(POINTS))) is None


@settings(deadline=None, derandomize=True)
@given(st.floats(1e-8, 1e8))
def test_noise_level_scales_with_its_values(factor):
    values = np.random.default_rng(1).normal(size=POINTS)
    assert noise_level(factor * values) == pytest.approx(factor * noise_level(values))
