"""Keras' own train function is traced once where that gives what twice would give."""

import random
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.train_step.first_trace import built_ahead, traces_counted
from tests import models


class DrawsOnTheHost(keras.layers.Layer):
    """Scales by a number that is drawn while the step is traced."""

    drawn = staticmethod(random.random)

    def call(self, x):
        return x * (1.0 + self.drawn())


class DrawsWithNumpy(DrawsOnTheHost):
    drawn = staticmethod(np.random.rand)


class MakesVariables(keras.layers.Layer):
    """Makes a variable of its own the first time, and draws on the host."""

    def __init__(self):
        super().__init__()
        self.held = []

    def call(self, x, training=False):
        if training and not self.held:
            self.held.append(tf.Variable(1.0, trainable=False))
        scale = self.held[0] if self.held else 1.0
        return x * scale * (1.0 + random.random())


def fitted(layer, optimizer, *watchers, strategy=None, **options):
    keras.utils.set_random_seed(4)
    with (strategy or tf.distribute.get_strategy()).scope():
        model = keras.Sequential([keras.Input((8,)), layer(), keras.layers.Dense(3)])
        model.compile(optimizer(), "mse", jit_compile=False, **options)
    x = np.random.default_rng(0).normal(size=(24, 8)).astype("float32")
    model.fit(x, x[:, :3], batch_size=8, verbose=0, callbacks=list(watchers))
    return [
        *models.weights_of(model),
        *(value.numpy() for value in model.optimizer.variables),
        np.array([random.random(), np.random.rand()]),
    ]


METRICS = {"metrics": ["mae"]}


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (DrawsOnTheHost, {}),
        (DrawsWithNumpy, METRICS),
        (MakesVariables, METRICS),
        pytest.param(keras.layers.ReLU, {}, marks=pytest.mark.slow),
        pytest.param(keras.layers.ReLU, METRICS, marks=pytest.mark.slow),
        pytest.param(DrawsOnTheHost, METRICS, marks=pytest.mark.slow),
        pytest.param(DrawsWithNumpy, {}, marks=pytest.mark.slow),
        pytest.param(MakesVariables, {}, marks=pytest.mark.slow),
    ],
)
def test_what_is_drawn_on_the_host_is_what_keras_would_have_drawn(layer, options):
    bare = fitted(layer, keras.optimizers.Adam, **options)
    watched = fitted(
        layer, keras.optimizers.Adam, callbacks.UpdateRatioMonitor(), **options
    )
    assert models.same(bare, watched)


def test_a_strategy_of_one_replica_trains_unchanged():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    bare, watched = (
        fitted(keras.layers.ReLU, keras.optimizers.Adam, *monitors, strategy=strategy)
        for monitors in ([], [callbacks.UpdateRatioMonitor()])
    )
    assert models.same(bare, watched)


def test_the_first_step_is_traced_once():
    model = models.compiled(models.small)
    with traces_counted(model) as times:
        model.fit(*models.data(), verbose=0)
    assert len(times) == 2
    model = models.compiled(models.small)
    with traces_counted(model) as times:
        model.fit(*models.data(), verbose=0, callbacks=[callbacks.LossMonitor()])
    assert len(times) == 2  # once for Keras' own, once for the watched one
    assert "compute_loss" not in vars(model)


class OtherApply(keras.optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        return super().apply(grads[:2], trainable_variables[:2])


class OtherStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


def test_optimizers_are_built_ahead_only_where_keras_alone_decides_how():
    def model(optimizer="adam", kind=keras.Sequential, shape=((8,),)):
        found = kind([*map(keras.Input, shape), keras.layers.Dense(3)])
        found.compile(optimizer, "mse")
        return found

    def paths_of(model):
        # Names of models and layers are numbered.
        return [
            (re.sub(r"_\d+", "", v.path), v.shape) for v in model.optimizer.variables
        ]

    plain = model()
    assert built_ahead(plain)
    assert not built_ahead(plain)
    other = model()
    other.fit(np.ones((8, 8)), np.ones((8, 3)), verbose=0)
    assert paths_of(plain) == paths_of(other)
    assert not built_ahead(model(OtherApply()))
    assert not built_ahead(model(kind=OtherStep))
    assert not built_ahead(model(shape=()))
    patched = model()
    patched.train_step = patched.train_step
    assert not built_ahead(patched)
