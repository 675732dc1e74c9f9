"""Long averages stay close to float64."""

import keras
import numpy as np
import pytest

from keras_trainkit.averaging.running_average import RunningAverage
from tests.tolerances import FLOAT32


def stepped(kind, points, decay=0.999, correct=False):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(points.shape[1])])
    average = RunningAverage(model, kind, decay, correct)
    average.build()
    kernel = model.layers[0].kernel
    for point in points:
        kernel.assign(point[np.newaxis])
        average.add_point()
    return average, average.averages[0].numpy()[0]


def random_points(count, size=32):
    random = np.random.default_rng(0)
    return (1.0 + 0.1 * random.normal(size=(count, size))).astype("f4")


def test_first_point_is_taken_as_it_is():
    points = random_points(1)
    for kind in ("mean", "exponential"):
        for correct in (False, True):
            assert np.array_equal(stepped(kind, points, 0.99, correct)[1], points[0])


@pytest.mark.slow
def test_mean_of_many_points_equals_float64():
    points = random_points(3000)
    average, found = stepped("mean", points)
    assert int(average.count.numpy()) == 3000
    np.testing.assert_allclose(found, points.astype("f8").mean(0), rtol=FLOAT32)


def test_constant_weights_stay_what_they_are():
    points = np.repeat(random_points(1), 200, axis=0)
    for kind in ("mean", "exponential"):
        assert np.array_equal(stepped(kind, points)[1], points[0])


def test_corrected_average_begins_as_a_mean():
    points = random_points(4)
    _, found = stepped("exponential", points, decay=0.999999, correct=True)
    np.testing.assert_allclose(found, points.astype("f8").mean(0), rtol=FLOAT32)


def test_state_of_another_model_is_refused():
    average, _ = stepped("mean", random_points(2))
    other, _ = stepped("mean", random_points(2, size=3))
    with pytest.raises(ValueError, match="other trainable weights"):
        other.restore(average.state())


def test_state_goes_round():
    points = random_points(3)
    average, found = stepped("mean", points)
    other, _ = stepped("mean", points[:1])
    other.restore(average.state())
    assert np.array_equal(other.averages[0].numpy()[0], found)
    assert int(other.count.numpy()) == 3
