"""What a model held before comes back to the bit, in every replica and generator."""

import functools
import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.keras_model.arrays import same_bits
from keras_trainkit.keras_model.replicas import components
from keras_trainkit.keras_model.state import (
    kept,
    parts_of,
    restored,
    variables_of,
)
from tests import models
from tests.preflight.models import classifier, digits

layers = keras.layers


class Noisy(layers.Layer):
    """Keeps state where Keras does not look for it."""

    def __init__(self):
        super().__init__()
        self.generator = tf.random.Generator.from_seed(1)
        self.calls = {"count": [tf.Variable(0.0, trainable=False)]}

    def call(self, x):
        self.calls["count"][0].assign_add(1.0)
        return x + self.generator.normal(tf.shape(x))


class Wrapped(keras.losses.Loss):
    """A loss that counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.asked = tf.Variable(0, trainable=False)

    def call(self, y_true, y_pred):
        self.asked.assign_add(1)
        return tf.reduce_mean((y_true - y_pred) ** 2, axis=-1)


COUNTER = tf.Variable(0, trainable=False)


def global_loss(y_true, y_pred):
    COUNTER.assign_add(1)
    return tf.reduce_mean((y_true - y_pred) ** 2, axis=-1)


def closure_loss():
    counter = tf.Variable(0, trainable=False)

    def loss(scale, y_true, y_pred):
        counter.assign_add(1)
        return scale * tf.reduce_mean((y_true - y_pred) ** 2, axis=-1)

    return functools.partial(loss, 1.0), counter


def odd_model(loss):
    inputs = keras.Input((4, 2), batch_size=4)
    hidden = layers.GRU(3, stateful=True)(Noisy()(inputs))
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.others = {"second": [keras.optimizers.Adam()]}
    model.others["second"][0].build(model.trainable_variables)
    model.compile("sgd", loss, jit_compile=False)
    return model


def odd_data():
    source = np.random.default_rng(0)
    return source.normal(size=(8, 4, 2)).astype("f4"), source.normal(size=(8, 1))


def bits(model):
    return [part.numpy().tobytes() for part in parts_of(model)]


def test_variables_are_found_wherever_they_are():
    loss, counter = closure_loss()
    model = odd_model(loss)
    found = {id(variable) for variable in variables_of(model)}
    recurrent, noisy = model.layers[2], model.layers[1]
    wanted = [
        *model.variables,
        *model.optimizer.variables,
        *model.others["second"][0].variables,
        *recurrent.states,
        noisy.generator.state,
        noisy.calls["count"][0],
        counter,
    ]
    assert all(id(variable) in found for variable in wanted)
    assert len(found) == len(variables_of(model))


@pytest.mark.parametrize(
    ("loss", "putting_back"),
    [
        pytest.param(Wrapped, kept, id="object-kept"),
        pytest.param(lambda: global_loss, restored, id="global-restored"),
        pytest.param(lambda: closure_loss()[0], kept, id="closure-kept"),
        *(
            pytest.param(loss, putting_back, id=name, marks=pytest.mark.slow)
            for loss, putting_back, name in (
                (Wrapped, restored, "object-restored"),
                (lambda: global_loss, kept, "global-kept"),
                (lambda: closure_loss()[0], restored, "closure-restored"),
            )
        ),
    ],
)
def test_every_odd_variable_comes_back(putting_back, loss):
    x, y = odd_data()
    model = odd_model(loss())
    model.fit(x, y, batch_size=4, verbose=0, shuffle=False)
    before = bits(model)
    counter = COUNTER.numpy()
    with putting_back(model):
        model.fit(x, y, batch_size=4, verbose=0, shuffle=False)
        assert bits(model) != before
    assert bits(model) == before
    assert COUNTER.numpy() == counter


@pytest.mark.parametrize("putting_back", [kept, restored])
def test_nan_infinity_and_negative_zero_come_back(putting_back):
    model = models.sequential()
    kernel = model.layers[0].kernel
    value = kernel.numpy()
    value[0, :4] = [np.nan, np.inf, -0.0, 1e-45]
    kernel.assign(value)
    before = models.weights_of(model)
    with putting_back(model):
        for variable in model.variables:
            variable.assign(keras.ops.ones_like(variable))
    assert models.same(before, models.weights_of(model))


@pytest.mark.parametrize("putting_back", [kept, restored])
def test_each_replica_gets_its_own_back(putting_back, two_replicas):
    with two_replicas.scope():
        model = keras.Sequential([keras.Input((8,)), layers.BatchNormalization()])
    parts = components(model.layers[0].moving_mean, model)
    assert len(parts) == 2
    for number, part in enumerate(parts):
        part.assign(tf.fill(part.shape, float(number)))
    with putting_back(model):
        for part in parts:
            part.assign(tf.fill(part.shape, 9.0))
    assert [float(part[0]) for part in parts] == [0.0, 1.0]


@pytest.mark.parametrize("putting_back", [kept, restored])
def test_metrics_built_meanwhile_start_from_zero(putting_back):
    x, y = models.data()
    model = models.compiled(metrics=["accuracy"])
    with putting_back(model):
        model.evaluate(x, y, verbose=0)
    assert all(not np.any(value.numpy()) for value in model.metrics_variables)


def draw_from_all():
    return [
        random.random(),
        float(np.random.rand()),
        keras.random.normal((2,)).numpy().tobytes(),
        [int(n) for n in tf.data.Dataset.range(20).shuffle(20)],
        tf.random.get_global_generator().normal([2]).numpy().tobytes(),
        # Of each seed TensorFlow keeps the operation, and how much it has drawn.
        tf.random.normal([2]).numpy().tobytes(),
    ]


@pytest.mark.parametrize("seen_before", [True, False])
def test_restored_puts_every_generator_back(seen_before):
    drawn = []
    for disturbed in (False, True):
        keras.utils.clear_session()
        keras.utils.set_random_seed(2)
        tf.random.set_global_generator(tf.random.Generator.from_seed(3))
        model = models.sequential()
        if seen_before:
            draw_from_all()
        if disturbed:
            with restored(model):
                draw_from_all()
        drawn.append(draw_from_all())
    assert drawn[0] == drawn[1]


def test_restored_needs_no_global_generator(monkeypatch):
    def refuse():
        raise RuntimeError("determinism is enabled")

    monkeypatch.setattr(tf.random, "get_global_generator", refuse)
    with restored(models.sequential()):
        random.random()


def test_restored_puts_everything_back_after_training_and_errors():
    x, y = digits(100)
    model = classifier()
    model.fit(x, y, verbose=0)
    before = bits(model)

    def train_and_fail():
        with restored(model):
            model.fit(x, y, verbose=0)
            assert bits(model) != before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_fail()
    assert bits(model) == before


def test_same_bits_tells_negative_zero_and_knows_nan():
    assert same_bits([np.nan], [np.nan])
    assert not same_bits([0.0], [-0.0])
    assert not same_bits([0.0], [[0.0]])
