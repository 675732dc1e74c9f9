"""A watched function takes the place of Keras' own only if it runs its kernels."""

import itertools
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.keras_model.train_function import draws, traced, written_by
from keras_trainkit.train_step import twin as twins
from keras_trainkit.train_step.kernels import Kernels, graphs_of, with_graphs
from keras_trainkit.train_step.replay import Replay, take
from keras_trainkit.train_step.twin import Bare, Twin
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
    watched, bare = (
        models.compiled(models.RawRandom, optimizer="sgd") for _ in range(2)
    )
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


class Watched:
    """A watched function that may do more than Keras' own, from some call on."""

    def __init__(self, model, twin, wrong_from):
        self.model, self.twin, self.wrong_from = model, twin, wrong_from
        self.calls = 0

    def __call__(self, data):
        self.calls += 1
        logs = self.twin(data)
        if self.calls >= self.wrong_from:
            self.model.optimizer.iterations.assign_add(1)
        return logs


def twin_under_xla(wrong_from=10**6):
    """A light twin of a compiled model, and its parts."""
    model = models.compiled(models.small, optimizer="sgd", jit_compile=True)
    model.make_train_function(force=True)
    bare = Bare(model, model.train_function)
    model.make_train_function(force=True)
    watched = Watched(model, model.train_function, wrong_from)
    return model, watched, Twin(bare, watched, light=True)


def batches(count, rows=8):
    x, y = models.data(8)
    return iter([(x[:rows], y[:rows])] * count)


@pytest.mark.slow
def test_xla_is_compared_again_at_growing_intervals(monkeypatch):
    model, watched, twin = twin_under_xla()
    compared = []
    checked = Twin._checked
    monkeypatch.setattr(
        Twin,
        "_checked",
        lambda *arguments: compared.append(watched.calls) or checked(*arguments),
    )
    data = batches(20)
    for _ in range(20):
        twin(data)
    assert compared == [0, 1, 3, 7, 15]
    assert int(model.optimizer.iterations) == 20
    # Another shape is another program.
    twin(batches(1, rows=4))
    assert compared[-1] == 20


def test_xla_that_rounds_differently_later_is_not_trusted_again():
    model, watched, twin = twin_under_xla(wrong_from=4)
    data = batches(9)
    for _ in range(3):
        twin(data)
    with pytest.warns(UserWarning, match="showed at call 4 only"):
        twin(data)
    assert twin.runs_twice
    assert twin.reasons == ["it rounds differently"]
    for _ in range(5):
        twin(data)
    assert int(model.optimizer.iterations) == 9
    assert watched.calls == 9


@pytest.mark.parametrize("verbose", [0, 2])
def test_who_watches_is_told_once_that_tracing_takes_long(monkeypatch, capsys, verbose):
    clock = itertools.count(step=7)
    slow = types.SimpleNamespace(perf_counter=lambda: float(next(clock)))
    monkeypatch.setattr(twins, "time", slow)
    model = models.compiled(models.small, optimizer="sgd")
    for _ in range(2):
        monitors = [callbacks.LossMonitor(), callbacks.UpdateRatioMonitor()]
        model.fit(*models.data(), epochs=2, verbose=verbose, callbacks=monitors)
    said = capsys.readouterr().out
    assert said.count("Tracing") == (1 if verbose else 0)
    if verbose:
        assert "Tracing the train step took 7 s" in said


def test_nothing_is_said_of_tracing_that_is_quick(monkeypatch, capsys):
    still = types.SimpleNamespace(perf_counter=lambda: 0.0)
    monkeypatch.setattr(twins, "time", still)
    model = models.compiled(models.small, optimizer="sgd")
    model.fit(*models.data(), verbose=2, callbacks=[callbacks.LossMonitor()])
    assert "Tracing" not in capsys.readouterr().out


class Restless(layers.Layer):
    """Scales by one and a little, which depends on the time of day."""

    def call(self, inputs):
        passed = tf.math.floormod(1e3 * tf.timestamp(), 1.0)
        return inputs * tf.cast(1.0 + 1e-3 * passed, inputs.dtype)


def test_a_function_that_never_repeats_itself_is_judged_by_its_kernels():
    def restless():
        return keras.Sequential(
            [keras.Input((8,)), layers.Dense(6, "relu"), Restless(), layers.Dense(3)]
        )

    monitor = callbacks.UpdateRatioMonitor()
    model = models.compiled(restless, loss="mse", optimizer="sgd")
    x, _ = models.data()
    model.fit(x, x[:, :3], batch_size=16, verbose=0, callbacks=[monitor])
    assert monitor.record.metadata["done_twice"] == []
    assert len(monitor.record.values("update_ratio", "dense", "kernel")[0]) == 3


@pytest.mark.parametrize("repeats", [True, False])
def test_under_xla_only_what_repeats_itself_is_done_twice(monkeypatch, repeats):
    monkeypatch.setattr(Twin, "_repeats", lambda *_: repeats)
    monkeypatch.setattr("keras_trainkit.train_step.twin._same", lambda *_: False)
    monitor = callbacks.UpdateRatioMonitor()
    model = models.compiled(models.small, optimizer="sgd", jit_compile=True)
    model.fit(*models.data(), batch_size=16, verbose=0, callbacks=[monitor])
    reasons = ["it rounds differently"] if repeats else []
    assert monitor.record.metadata["done_twice"] == reasons


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_recurrent_layers_of_cudnn_draw_only_for_a_dropout_of_their_own(dropout):
    def run(x):
        return tf.raw_ops.CudnnRNNV3(
            input=x,
            input_h=tf.zeros([1, 2, 4]),
            input_c=tf.zeros([1, 2, 4]),
            params=tf.zeros([160]),
            sequence_lengths=tf.fill([2], 3),
            dropout=dropout,
        )[0]

    function = tf.function(run, autograph=False)
    assert draws(function.get_concrete_function(tf.zeros([3, 2, 4]))) == (dropout > 0)
