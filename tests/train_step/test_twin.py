"""A watched function takes the place of Keras' own only if it runs its kernels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.keras_model.train_function import draws, traced, written_by
from keras_trainkit.train_step.kernels import Kernels, graphs_of, with_graphs
from keras_trainkit.train_step.replay import Replay, take
from tests import models

layers = keras.layers


def compiled_kernels(function, *arguments):
    function = tf.function(function, autograph=False)
    traced_to = function.get_concrete_function(*arguments)
    _, collected = with_graphs(lambda: function(*arguments))
    return Kernels(traced_to, graphs_of(traced_to, collected))


STATE = tf.Variable(tf.ones([3]))
SEEN = tf.Variable(tf.zeros([]))


def plain(x):
    STATE.assign_sub(0.1 * tf.tanh(STATE * x))
    return tf.constant(0)


def read_more(x):
    STATE.assign_sub(0.1 * tf.tanh(STATE * x))
    SEEN.assign(tf.reduce_sum(x))
    return tf.constant(0)


def other_constant(x):
    STATE.assign_sub(0.2 * tf.tanh(STATE * x))
    return tf.constant(0)


def other_variable(x):
    STATE.assign_sub(0.1 * tf.tanh(SEEN * x))
    return tf.constant(0)


@pytest.mark.parametrize(
    ("other", "holds"),
    [
        (plain, True),
        (read_more, True),
        (other_constant, False),
        (other_variable, False),
    ],
)
def test_kernels_tell_whether_another_function_runs_them_too(other, holds):
    x = tf.ones([3])
    lacking = compiled_kernels(plain, x).lacking(compiled_kernels(other, x))
    assert (not lacking) == holds


def test_kernels_look_into_loops():
    def loop(rate):
        def function(x):
            return tf.while_loop(
                lambda i, v: i < 5,
                lambda i, v: (i + 1, v * rate + x),
                (tf.constant(0), x),
            )[1]

        return compiled_kernels(function, tf.ones([3]))

    assert not loop(0.5).lacking(loop(0.5))
    assert loop(0.5).lacking(loop(0.25))


def test_all_that_a_step_may_write_is_found_in_its_trace():
    model = models.compiled()
    model.counter = tf.Variable(0)
    hidden = tf.Variable(0.0)
    step = model.train_step

    def train_step(data):
        hidden.assign(1.0, read_value=False)
        return step(data)

    model.train_step = train_step
    model.make_train_function(force=True)
    x, y = models.data(16)
    iterator = iter(tf.data.Dataset.from_tensor_slices((x, y)).batch(8))
    function = traced(model.train_function, iterator)
    found = {id(one.handle) for one in written_by(function)}
    assert id(hidden.handle) in found
    assert all(id(v.value.handle) in found for v in model.optimizer.variables)
    assert not draws(function)


def test_batches_are_given_again_as_they_came():
    x, y = models.data(20)
    data = tf.data.Dataset.from_tensor_slices({"x": x, "y": y}).batch(8)
    iterator = iter(data)
    replay = Replay(iterator, tf.distribute.get_strategy(), 2)
    for count in (2, 1):
        batches = take(iterator, 2)
        assert len(batches) == count
        again = take(replay.iterator_over(batches), 2)
        assert len(again) == count
        for one, other in zip(batches, again, strict=True):
            assert np.array_equal(one["x"], other["x"])
            assert np.array_equal(one["y"], other["y"])
    assert take(iterator, 2) == []
    replay.close()


def test_steps_that_would_round_otherwise_are_done_twice_and_said_so():
    def train(*watchers):
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input((5, 8)),
                layers.Flatten(),
                layers.BatchNormalization(name="norm"),
                layers.Dense(1, name="last"),
            ]
        )
        model.compile("sgd", "mse", jit_compile=False)
        source = np.random.default_rng(0)
        x = source.normal(size=(96, 5, 8)).astype("float32")
        y = source.normal(size=(96, 1)).astype("float32")
        model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=list(watchers))
        return models.weights_of(model)

    monitor = callbacks.UpdateRatioMonitor()
    assert models.same(train(), train(monitor))
    # Where TensorFlow rounds alike either way there is nothing to do twice.
    assert set(monitor.record.metadata["done_twice"]) <= {"norm", "last"}


def test_a_layer_that_draws_by_itself_is_trained_by_keras_alone():
    monitor = callbacks.UpdateRatioMonitor(every=2)
    watched = models.compiled(models.RawRandom)
    bare = models.compiled(models.RawRandom)
    for model, watchers in ((bare, []), (watched, [monitor])):
        keras.utils.set_random_seed(2)
        for _ in range(2):
            model.fit(*models.data(), verbose=0, callbacks=watchers)
    assert models.same(models.weights_of(bare), models.weights_of(watched))
    (reason,) = monitor.record.metadata["done_twice"]
    assert "generators" in reason


def test_a_model_that_was_trained_before_it_is_watched_needs_no_second_steps():
    monitor = callbacks.UpdateRatioMonitor()
    bare, watched = models.compiled(), models.compiled()
    for model, watchers in ((bare, []), (watched, [monitor])):
        keras.utils.set_random_seed(2)
        model.fit(*models.data(), verbose=0)
        model.fit(*models.data(), verbose=0, callbacks=watchers)
    assert models.same(models.weights_of(bare), models.weights_of(watched))
    assert monitor.record.metadata["done_twice"] == []
