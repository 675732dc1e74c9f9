"""What is used is kept from before, however well it is hidden."""

import copy
import itertools
import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.keras_model.state import restored, variables_of
from keras_trainkit.keras_model.touched import touched_variables
from tests import models


class Hideout:
    """A place that no attribute walk enters: it has no attributes."""

    __slots__ = ("_drawer",)

    def __init__(self, variable):
        self._drawer = itertools.repeat(variable)

    def variable(self):
        return next(self._drawer)


class Counting(keras.layers.Layer):
    def __init__(self, hideout):
        super().__init__()
        self._open = hideout.variable

    def call(self, x):
        self._open().assign_add(1.0)
        return x


def hidden_counter():
    counter = tf.Variable(0.0, trainable=False)
    net = keras.Sequential(
        [keras.Input((3,)), Counting(Hideout(counter)), keras.layers.Dense(1)]
    )
    return net, counter


@pytest.mark.parametrize("eager", [True, False])
def test_what_no_walk_finds_is_put_back(eager):
    net, counter = hidden_counter()
    assert all(found is not counter for found in variables_of(net))
    call = net if eager else tf.function(net)
    with restored(net):
        call(np.ones((2, 3), "float32"))
        assert float(counter) > 0.0
    assert float(counter) == 0.0


@pytest.mark.parametrize(
    "tool",
    [
        lambda net, x, y: tk.preflight(net, x, y, seconds=1.0, verbose=False),
        lambda net, x, y: tk.gradcheck(net, x[:8], y[:8]),
        lambda net, x, y: tk.probes.find_learning_rate(net, x, y, steps=5),
        lambda net, x, y: tk.probes.what_if(net, x, y, steps=2, budget_seconds=1.0),
    ],
    ids=["preflight", "gradcheck", "find_learning_rate", "what_if"],
)
def test_no_tool_moves_what_is_hidden(tool):
    source = np.random.default_rng(0)
    x, y = source.normal(size=(40, 3)).astype("f4"), source.normal(size=(40, 1))
    net, counter = hidden_counter()
    net.compile("sgd", "mse")
    net.fit(x, y, verbose=0)
    before = float(counter)
    tool(net, x, y)
    assert float(counter) == before > 0.0


def test_functions_traced_before_tell_what_they_write():
    counter = tf.Variable(0.0, trainable=False)
    count = tf.function(lambda: counter.assign_add(1.0))
    count()
    with touched_variables() as touched:
        touched.take([counter])
        count()
        touched.put_back()
    assert float(counter) == 1.0


def test_replicas_keep_their_own(two_replicas):
    with two_replicas.scope():
        mean = tf.Variable(
            0.0,
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    @tf.function
    def step():
        def one():
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            mean.assign_add(1.0 + tf.cast(number, tf.float32))

        two_replicas.run(one)

    step()
    before = [float(part) for part in mean.values]
    with touched_variables() as touched:
        tf.function(step.python_function)()
        assert [float(part) for part in mean.values] != before
        touched.put_back()
    assert [float(part) for part in mean.values] == before == [1.0, 2.0]


def test_another_training_goes_on():
    counter = tf.Variable(0.0, trainable=False)
    go, gone = threading.Event(), threading.Event()

    def other():
        go.wait()
        counter.assign_add(1.0)
        gone.set()

    thread = threading.Thread(target=other)
    thread.start()
    with touched_variables() as touched:
        go.set()
        assert gone.wait(10)
        touched.put_back()
    thread.join()
    assert float(counter) == 1.0


def test_contexts_may_end_in_any_order():
    before = tf.Variable(0.0).handle, type(tf.Variable(0.0)).handle
    first, second = touched_variables(), touched_variables()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert type(tf.Variable(0.0)).handle is not before[1]
    second.__exit__(None, None, None)
    assert type(tf.Variable(0.0)).handle is before[1]


def test_variables_that_come_and_go_are_not_held():
    with touched_variables() as touched:
        for _ in range(3):
            tf.Variable(1.0).assign_add(1.0)
        assert not touched._before


def test_a_model_built_meanwhile_starts_as_it_was_made():
    x, y = models.data()
    net = models.compiled()
    with restored(net):
        net.fit(x, y, epochs=1, verbose=0)
    slots = [v.numpy() for v in net.optimizer.variables if "momentum" in v.path]
    assert all(not slot.any() for slot in slots)


@pytest.mark.parametrize(
    "generator",
    [np.random.default_rng(1), np.random.RandomState(1), random.Random(1)],
    ids=["Generator", "RandomState", "Random"],
)
def test_generators_that_layers_hold_are_put_back(generator):
    net, _ = hidden_counter()
    net.layers[0].parts = {"noise": [generator]}
    before = copy.deepcopy(generator)
    with restored(net):
        generator.random()
    assert generator.random() == before.random()
