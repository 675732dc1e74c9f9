"""Training runs that tell every point that an average may take."""

import keras
import numpy as np

from tests import models


class Points(keras.callbacks.Callback):
    """Keeps the trainable weights after every batch."""

    def on_train_begin(self, logs=None):
        self.points = []

    def on_train_batch_end(self, batch, logs=None):
        self.points.append([np.array(v.value) for v in self.model.trainable_variables])


def fit(model, *watchers, **options):
    x, y = models.data()
    options = {"batch_size": 16, "epochs": 3, "verbose": 0} | options
    return model.fit(x, y, callbacks=list(watchers), **options)


def mean(points):
    """The plain mean in float64, weight by weight."""
    return [
        np.mean([np.asarray(v, "f8") for v in values], axis=0)
        for values in zip(*points, strict=True)
    ]


def exponential(points, decay, correct=False):
    """The exponential average in float64, weight by weight."""
    result = [np.asarray(v, "f8") for v in points[0]]
    for number, point in enumerate(points[1:], start=2):
        rate = (1 - decay) / (1 - decay**number) if correct else 1 - decay
        result = [a + rate * (v - a) for a, v in zip(result, point, strict=True)]
    return result


def assert_close(found, expected, tolerance):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
