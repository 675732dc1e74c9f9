"""What a model held before comes back to the bit."""

import keras
import numpy as np
import tensorflow as tf

from keras_trainkit.averaging.kept import kept
from keras_trainkit.keras_model.replicas import components
from tests import models


def test_every_bit_comes_back():
    model = models.sequential()
    kernel = model.layers[0].kernel
    value = kernel.numpy()
    value[0, :4] = [np.nan, np.inf, -0.0, 1e-45]
    kernel.assign(value)
    before = models.weights_of(model)
    with kept(model):
        for variable in model.variables:
            variable.assign(keras.ops.ones_like(variable))
    assert models.same(before, models.weights_of(model))


def test_each_replica_gets_its_own_back(two_replicas):
    with two_replicas.scope():
        model = keras.Sequential([keras.Input((8,)), keras.layers.BatchNormalization()])
    parts = components(model.layers[0].moving_mean, model)
    assert len(parts) == 2
    for number, part in enumerate(parts):
        part.assign(tf.fill(part.shape, float(number)))
    with kept(model):
        for part in parts:
            part.assign(tf.fill(part.shape, 9.0))
    assert [float(part[0]) for part in parts] == [0.0, 1.0]
