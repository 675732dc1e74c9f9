"""Training runs that tell every point that an average may take."""

import keras
import numpy as np
import tensorflow as tf

from tests import models

CROSSENTROPY = "sparse_categorical_crossentropy"


class Points(keras.callbacks.Callback):
    """Keeps the trainable weights after every batch."""

    def on_train_begin(self, logs=None):
        self.points = []

    def on_train_batch_end(self, batch, logs=None):
        self.points.append([np.array(v.value) for v in self.model.trainable_variables])


def compiled(build=models.sequential, strategy=None, **options):
    policy = keras.config.dtype_policy()
    keras.utils.clear_session()  # also forgets the policy
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(7)
    tf.random.set_seed(7)
    options = {"optimizer": "adam", "loss": CROSSENTROPY, "jit_compile": False} | (
        options
    )
    if callable(options["optimizer"]):
        options["optimizer"] = options["optimizer"]()
    with (strategy or tf.distribute.get_strategy()).scope():
        model = build()
        model.compile(**options)
    return model


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
