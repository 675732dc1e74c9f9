import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_trainkit import measures
from tests.tolerances import FLOAT32

tensors = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=1, max_dims=3, max_side=6),
    elements=st.integers(-6400, 6400).map(lambda number: number / 64),
)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(tensors)
def test_measures_equal_numpy_in_float64(tensor):
    exact = tensor.astype("float64")
    mean, variance = measures.mean_and_variance(tf.constant(tensor))
    scale = np.abs(exact).max() + 1e-6
    np.testing.assert_allclose(mean, exact.mean(), atol=FLOAT32 * scale)
    np.testing.assert_allclose(variance, exact.var(), atol=FLOAT32 * scale**2)
    np.testing.assert_allclose(
        measures.norm(tf.constant(tensor)), np.linalg.norm(exact), rtol=FLOAT32
    )
    np.testing.assert_allclose(
        measures.zero_fraction(tf.constant(tensor)), (tensor == 0).mean(), rtol=FLOAT32
    )
    counts = measures.histogram(tf.constant(tensor)).numpy()
    edges = np.array([-np.inf, *measures.HISTOGRAM_EDGES, np.inf])
    # Edges in float32, as the values are.
    expected = [
        ((tensor >= low) & (tensor < high)).sum()
        for low, high in zip(
            edges[:-1].astype("f4"), edges[1:].astype("f4"), strict=True
        )
    ]
    np.testing.assert_array_equal(counts, expected)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(tensors, st.sampled_from([2.0, -4.0, 0.5]))
def test_update_ratio_ignores_common_scale(tensor, scale):
    after = tensor * 1.5
    one = measures.update_ratio(tf.constant(tensor), tf.constant(after))
    other = measures.update_ratio(
        tf.constant(scale * tensor), tf.constant(scale * after)
    )
    np.testing.assert_allclose(one, other, rtol=FLOAT32)


def test_update_ratio_of_zeros_is_zero_or_infinite():
    zeros, ones = tf.zeros(3), tf.ones(3)
    assert measures.update_ratio(zeros, zeros) == 0.0
    assert np.isinf(measures.update_ratio(zeros, ones))


def test_values_that_are_not_finite_are_counted_and_shown():
    tensor = tf.constant([1.0, np.nan, np.inf, 0.0])
    assert measures.nonfinite_count(tensor) == 2
    assert np.isnan(measures.norm(tensor))
    assert measures.active_units(tensor[tf.newaxis], 1).numpy().tolist() == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("bounds", "values", "share"),
    [
        ((0.0, 1.0), [0.005, 0.5, 0.995, 0.02], 0.5),
        ((-1.0, 1.0), [-0.99, 0.0, 0.97, 1.0], 0.5),
        ((None, 6.0), [0.0, 6.0, 3.0, 5.9], 0.25),
    ],
)
def test_saturation_is_near_a_bound(bounds, values, share):
    assert measures.saturated_fraction(tf.constant(values), *bounds) == share


def test_smoothness_tells_smooth_filters_from_noise_and_checkerboards():
    y, x = np.mgrid[:9, :9]
    smooth = np.sin(x / 4.0)[..., None, None]
    noise = np.random.default_rng(0).normal(size=(9, 9, 3, 64))
    board = ((x + y) % 2.0)[..., None, None]
    assert measures.smoothness(smooth) > 0.9
    assert abs(measures.smoothness(noise)) < 0.05
    assert measures.smoothness(board) < -0.9
    assert measures.smoothness(np.ones((3, 3, 1, 2))) == 0.0


@pytest.mark.parametrize("shape", [(3, 3, 1, 16), (5, 5, 3, 8), (8, 8, 1, 64)])
def test_noise_hardly_exceeds_the_smoothness_of_noise(shape):
    random = np.random.default_rng(1)
    pictures = [random.normal(size=shape) for _ in range(200)]
    limit = measures.noise_smoothness(pictures[0])
    above = np.mean([measures.smoothness(one) > limit for one in pictures])
    assert above < 0.06
    slope = np.linspace(-1, 1, shape[0])[:, None, None, None]
    slopes = slope * random.choice([-1, 1], size=(1, 1, *shape[2:]))
    assert measures.smoothness(pictures[0] + 2 * slopes) > limit


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float32", "float64"])
def test_half_the_square_sum_is_a_float32_of_every_precision(kind):
    # The square of 300 is beyond float16.
    found = measures.half_square_sum(tf.constant([[300.0, -4.0], [0.0, 0.5]], kind))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, (300.0**2 + 16.0 + 0.25) / 2, rtol=FLOAT32)


@pytest.mark.parametrize(("entry", "expected"), [(np.nan, np.nan), (-np.inf, np.inf)])
def test_half_the_square_sum_shows_what_is_not_finite(entry, expected):
    found = measures.half_square_sum(tf.constant([1.0, entry]))
    np.testing.assert_array_equal(found, expected)
