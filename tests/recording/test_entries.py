import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.recording.entries import Entries


def estimate(values, limit):
    entries = Entries(tf.Variable(values), limit)
    read = entries.read().numpy()
    return read.size, np.sqrt(entries.scale * np.sum(read.astype("f8") ** 2))


@pytest.mark.parametrize("limit", [None, 600, 10_000])
def test_a_small_variable_is_read_whole(limit):
    values = np.random.default_rng(0).normal(size=(20, 30)).astype("f4")
    size, norm = estimate(values, limit)
    assert size == 600
    np.testing.assert_allclose(norm, np.linalg.norm(values), rtol=1e-6)


@pytest.mark.parametrize(
    "shape",
    [(784, 320), (512, 512), (3, 3, 64, 128), (100_000,), (331, 337), (3, 50_000)],
)
def test_norm_is_met_where_rows_and_columns_differ(shape):
    random = np.random.default_rng(0)
    values = random.normal(size=shape)
    for axis in range(len(shape)):
        # Every third is silent, as pixels and units can be; the others differ.
        scales = random.exponential(size=shape[axis])
        scales[::3] = 0.0
        if shape[axis] > 100:
            places = [1] * len(shape)
            places[axis] = -1
            values *= scales.reshape(places)
    size, norm = estimate(values.astype("f4"), 8192)
    assert 8000 < size <= 8192
    np.testing.assert_allclose(norm, np.linalg.norm(values), rtol=0.15)


@pytest.mark.parametrize("limit", [1, 5, 16, 100])
def test_no_more_entries_are_read_than_the_limit(limit):
    size, norm = estimate(np.ones((40, 50), "f4"), limit)
    assert 1 <= size <= limit
    np.testing.assert_allclose(norm, np.sqrt(2000.0), rtol=1e-5)


def test_a_tensor_is_read_at_the_places_of_the_variable():
    values = np.arange(40 * 50, dtype="f4").reshape(40, 50)
    entries = Entries(tf.Variable(values), 160)
    doubled = entries.of(tf.constant(2 * values)).numpy()
    np.testing.assert_array_equal(doubled, 2 * entries.read().numpy())
    assert len(np.unique(doubled)) == 160
