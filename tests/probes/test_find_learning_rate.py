"""The sweep finds a rate that trains, and leaves the model as it was."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.probes import LearningRateSweep, find_learning_rate

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 8)).astype("float32")
    return x, (x[:, :4].argmax(axis=1)).astype("int32")


class Noisy(keras.layers.Layer):
    """Draws from Keras' own global generator."""

    def call(self, inputs):
        return inputs + 0.01 * keras.random.normal(keras.ops.shape(inputs))


def model_with_state(optimizer, built=True, **options):
    keras.utils.set_random_seed(7)
    layers = [
        keras.layers.Dense(16, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.2),
        Noisy(),
        keras.layers.Dense(4),
    ]
    model = keras.Sequential([keras.Input((8,)), *layers] if built else layers)
    model.compile(optimizer, LOSS, metrics=["accuracy"], **options)
    return model


OPTIMIZERS = {
    "ours": lambda: tk.optimizers.Adam(0.01),
    "keras": lambda: keras.optimizers.Adam(0.01),
    "scheduled": lambda: tk.optimizers.Momentum(tk.schedules.StepDecay(0.1, 0.5, 3)),
    "keras scheduled": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
    ),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(tk.optimizers.SGD(0.01)),
    "averaged": lambda: tk.optimizers.SGD(0.01, use_ema=True),
}


def train(model):
    x, y = data()
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0).history
    return history, [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            make,
            id=name,
            marks=[] if name in ("ours", "scheduled") else [pytest.mark.slow],
        )
        for name, make in OPTIMIZERS.items()
    ],
)
@pytest.mark.parametrize(
    "warm",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["fresh", "trained"],
)
def test_sweep_leaves_no_trace(make, warm):
    results = []
    for sweep in (False, True):
        model = model_with_state(make())
        if warm:
            train(model)
        before = [random.getstate()[1], np.random.get_state()[1].tolist()]
        if sweep:
            find_learning_rate(model, *data(), steps=12, batch_size=16)
        assert before == [random.getstate()[1], np.random.get_state()[1].tolist()]
        results.append(train(model))
    assert results[0][0] == results[1][0]
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_sweep_leaves_no_trace_in_a_model_that_was_not_built():
    results = []
    for sweep in (False, True):
        model = model_with_state(tk.optimizers.Adam(0.01), built=False)
        if sweep:
            find_learning_rate(model, *data(), steps=5)
        results.append(train(model)[1])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_metrics_in_mid_epoch_survive():
    x, y = data()
    model = model_with_state(tk.optimizers.Adam(0.01))
    before = model.train_on_batch(x, y, return_dict=True)
    find_learning_rate(model, x, y, steps=5)
    assert model.get_metrics_result() == before


def test_sweep_restores_when_it_is_interrupted():
    model = model_with_state(tk.optimizers.Adam(0.01))
    before = [v.numpy() for v in model.variables]

    def batches():
        x, y = data()
        yield x, y
        yield x, y
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_learning_rate(model, batches())
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert float(model.optimizer.learning_rate) == np.float32(0.01)


@pytest.mark.slow
def test_suggestion_trains_better_than_rates_far_from_it():
    sweep = find_learning_rate(model_with_state(tk.optimizers.SGD(0.1)), *data())
    losses = []
    for factor in (1e-2, 1.0, 1e3):
        model = model_with_state(tk.optimizers.SGD(sweep.suggestion * factor))
        losses.append(train(model)[0]["loss"][-1])
    assert losses[1] < losses[0]
    assert not losses[1] > losses[2]


def test_sweep_takes_datasets_and_stops_when_the_loss_diverges():
    dataset = tf.data.Dataset.from_tensor_slices(data()).batch(16)
    x = np.ones((8, 1), "float32")
    linear = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    linear.compile(tk.optimizers.SGD(0.1), "mse")
    stopped = find_learning_rate(linear, x, 3 * x, maximum=1e6, steps=200)
    assert len(stopped.losses) < 200
    assert (
        len(find_learning_rate(model_with_state("sgd"), dataset, steps=9).losses) == 9
    )


def test_no_descent_means_no_suggestion():
    rates = np.geomspace(1e-3, 1, 5)
    rising = LearningRateSweep(rates, np.arange(5.0) + 1)
    assert rising.suggestion is None
    assert "did not fall" in str(rising)
    assert LearningRateSweep(rates, np.full(5, np.nan)).suggestion is None
    falling = LearningRateSweep(rates, np.array([4.0, 4.0, 1.0, 9.0, np.inf]))
    assert falling.suggestion == pytest.approx(rates[2])


def test_sweep_plots():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    axes = LearningRateSweep(
        np.geomspace(1e-3, 1, 3), np.array([3.0, 1, np.inf])
    ).plot()
    assert axes.get_xscale() == "log"
    pyplot.close("all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"minimum": 0}, "Received: minimum=0"),
        ({"minimum": 1.0, "maximum": 1.0}, "Received: maximum=1.0"),
        ({"steps": 1}, "Received: steps=1"),
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"stop_factor": 1.0}, "Received: stop_factor=1.0"),
        ({"seed": -1}, "Received: seed=-1"),
    ],
    ids=str,
)
def test_bad_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        find_learning_rate(model_with_state("sgd"), *data(), **arguments)


def test_model_must_be_compiled_and_data_not_empty():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    with pytest.raises(ValueError, match="must be a compiled Keras model"):
        find_learning_rate(model, *data())
    x, y = data()
    with pytest.raises(ValueError, match="`x` must have rows"):
        find_learning_rate(model_with_state("sgd"), x[:0], y[:0])
    with pytest.raises(ValueError, match="`x` must yield batches"):
        find_learning_rate(model_with_state("sgd"), [])
