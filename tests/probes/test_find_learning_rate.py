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
    # A seed alone leaves older versions of Keras their global generator.
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)
    layers = [
        keras.layers.Dense(16, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.2),
        Noisy(),
        keras.layers.Dense(4),
    ]
    model = keras.Sequential([keras.Input((8,)), *layers] if built else layers)
    options = {"jit_compile": False, **options}
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
    "called": lambda: keras.optimizers.SGD(lambda: 0.01),
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
            marks=[] if name == "ours" else [pytest.mark.slow],
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


@pytest.mark.parametrize(
    "name",
    [
        "keras scheduled",
        pytest.param("called", marks=pytest.mark.slow),
        pytest.param("scaled", marks=pytest.mark.slow),
    ],
)
def test_layers_may_thaw_after_a_sweep(name):
    results = []
    for sweep in (False, True):
        model = model_with_state(OPTIMIZERS[name]())
        optimizer, count = model.optimizer, len(model.optimizer.variables)
        model.layers[0].trainable = False
        if sweep:
            find_learning_rate(model, *data(), steps=5)
        assert model.optimizer is optimizer
        assert not optimizer.built
        assert len(optimizer.variables) == count
        model.layers[0].trainable = True
        results.append(train(model))
    assert results[0][0] == results[1][0]
    for one, other in zip(results[0][1], results[1][1], strict=True):
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
        ({"repeats": 0}, "Received: repeats=0"),
        ({"measure": "cost"}, "Received: measure='cost'"),
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:0], y[:0]), "same number of rows"),
        (lambda x, y: (x, y[:-1]), "same number of rows"),
        (lambda x, y: (x[:-1], y), "same number of rows"),
        (lambda x, y: ([],), "same number of rows"),
        (lambda x, y: (iter([]),), "`x` must yield batches"),
        (lambda x, y: (None,), "`x` must be arrays"),
        (lambda x, y: (None, y), "`x` must be arrays"),
        (
            lambda x, y: (tf.data.Dataset.from_tensor_slices((x, y)),),
            "need .batch",
        ),
        (lambda x, y: (iter([(x, y)]), y), "`y` must be None"),
    ],
)
def test_bad_data_are_one_sentence(change, message):
    model = model_with_state("sgd")
    with pytest.raises(ValueError, match=message):
        find_learning_rate(model, *change(*data()), steps=3)


class OwnStep(keras.Model):
    """Two nets, an optimizer each, no call, and only inputs: as a GAN."""

    def __init__(self):
        super().__init__()
        self.one = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3, "tanh")])
        self.other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(8)])
        decay = keras.optimizers.schedules.CosineDecay(0.1, 9)
        self.optimizers = {
            "one": keras.optimizers.Adam(decay),
            "other": keras.optimizers.Adagrad(0.1),
        }

    def train_step(self, x):
        assert not isinstance(x, tuple)
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_mean(tf.square(self.other(self.one(x)) - x))
        for name, optimizer in self.optimizers.items():
            weights = getattr(self, name).trainable_variables
            optimizer.apply(tape.gradient(loss, weights), weights)
        return {"d_loss": loss}


@pytest.mark.parametrize("eager", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_custom_step_gets_what_fit_hands_it(eager):
    histories = []
    for sweep in (False, True):
        keras.utils.set_random_seed(3)
        model = OwnStep()
        model.compile(run_eagerly=eager)
        if sweep:
            with pytest.raises(ValueError, match="'d_loss'"):
                find_learning_rate(model, data()[0], steps=3)
            found = find_learning_rate(
                model, data()[0], steps=20, minimum=1e-4, maximum=1, measure="d_loss"
            )
            assert found.losses[-1] < found.losses[0]
        losses = model.fit(data()[0], epochs=2, verbose=0).history
        optimizers = [v.numpy() for o in model.optimizers.values() for v in o.variables]
        histories.append((losses, [v.numpy() for v in model.variables], optimizers))
    assert histories[0][0] == histories[1][0]
    for one, other in zip(histories[0][1:], histories[1][1:], strict=True):
        for left, right in zip(one, other, strict=True):
            np.testing.assert_array_equal(left, right)


def test_parts_that_are_not_built_are_named():
    model = OwnStep()
    model.other = keras.layers.Dense(8, name="late")
    model.compile()
    with pytest.raises(ValueError, match="late"):
        find_learning_rate(model, data()[0], steps=3, measure="d_loss")


def test_the_state_of_a_stateful_layer_is_put_back():
    x = np.random.default_rng(0).normal(size=(32, 5, 2)).astype("float32")
    lstm = keras.layers.LSTM(3, stateful=True)
    model = keras.Sequential(
        [keras.Input(batch_shape=(8, 5, 2)), lstm, keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    model.train_on_batch(x[:8], x[:8, 0, :1])
    before = [state.numpy() for state in lstm.states]
    assert np.abs(before[0]).max() > 0
    find_learning_rate(model, x, x[:, 0, :1], steps=5)
    for state, value in zip(lstm.states, before, strict=True):
        np.testing.assert_array_equal(state.numpy(), value)


@pytest.mark.parametrize("row", [0, pytest.param(40, marks=pytest.mark.slow), 63])
def test_a_row_of_nan_gives_no_suggestion_but_a_reason(row):
    x, y = data()
    x[row] = np.nan
    sweep = find_learning_rate(model_with_state("sgd"), x, y, batch_size=8, steps=40)
    assert sweep.suggestion is None
    assert set(sweep.suggestions.values()) == {None}
    assert "the data hold NaN" in str(sweep)
    assert "were not finite" in str(sweep)


def test_nan_that_the_model_expects_is_no_trouble():
    x, y = data()
    x[::3] = np.nan
    filled = keras.layers.Lambda(lambda v: tf.where(tf.math.is_nan(v), 0.0, v))
    dense = keras.layers.Dense(4)
    model = keras.Sequential([keras.Input((8,)), filled, dense])
    model.compile("sgd", LOSS)
    assert not find_learning_rate(model, x, y, steps=30).trouble


def test_an_overflow_at_a_high_rate_is_no_fault_of_the_data():
    rates = np.geomspace(1e-4, 10, 40)
    losses = np.r_[np.linspace(2, 1.9, 20), np.linspace(1.9, 0.5, 12), 3, 50, 1e9]
    losses = np.r_[losses, [np.nan] * 5]
    assert LearningRateSweep(rates, losses).suggestion is not None
    early = np.r_[np.linspace(2, 1.9, 10), [np.nan] * 30]
    assert "not finite from" in LearningRateSweep(rates, early).why_not


def test_the_rules_that_people_know():
    rates = np.geomspace(1e-4, 1, 41)
    fall = 1 / (1 + np.exp((np.arange(41) - 20) / 2.0))
    losses = np.where(np.arange(41) <= 30, fall, fall + (np.arange(41) - 30.0))
    found = LearningRateSweep(rates, losses).suggestions
    lowest = np.argmin(LearningRateSweep(rates, losses).smoothed)
    assert found["minimum/10"] == pytest.approx(rates[lowest] / 10)
    assert found["steepest"] == pytest.approx(rates[20], rel=0.3)
    assert found["valley"] == pytest.approx(rates[lowest // 2], rel=0.3)


def test_several_sweeps_give_a_band_and_differ_only_in_their_batches():
    model = model_with_state("sgd")
    many = find_learning_rate(model, *data(), batch_size=8, steps=20, repeats=3)
    one = find_learning_rate(model, *data(), batch_size=8, steps=20)
    np.testing.assert_array_equal(many.losses, one.losses)
    assert len(many.repeats) == 2
    assert not np.array_equal(many.repeats[0].losses, one.losses)
    low, high = many.band
    assert low <= many.suggestion <= high
    assert "in 3 sweeps" in str(many)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    many.plot()
    pyplot.close("all")


@pytest.mark.parametrize("falling", [True, False])
def test_data_that_run_out_are_said_to_have(falling):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, _ = data()
    y = np.sign(x[:, :1]) if falling else np.asarray(model(x))
    sweep = find_learning_rate(model, iter([(x, y)] * 30), minimum=1e-3)
    assert (sweep.suggestion is not None) == falling
    assert "the data ran out after 30 of 100 steps" in str(sweep)


def test_a_rate_is_not_sought_for_what_sets_its_own_steps():
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)])
    model.compile(tk.second_order.LBFGS(), "mse")
    with pytest.raises(ValueError, match="optimizer whose rate is to be set"):
        find_learning_rate(model, *data())


def test_labels_beyond_the_classes_are_named():
    model = model_with_state("sgd")
    x, y = data()
    with pytest.raises(ValueError, match=r"classes from 0 to 3.*class 4"):
        find_learning_rate(model, x, y + 1, steps=3)


def test_metrics_of_mirrored_models_are_made_before(two_replicas):
    source = np.random.default_rng(0)
    x, y = source.normal(size=(16, 4)), source.normal(size=(16, 1))
    with two_replicas.scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
    sweep = find_learning_rate(model, x, y, steps=4, batch_size=8)
    assert np.isfinite(sweep.losses).all()
    assert all(not value.numpy().any() for value in model.metrics_variables)
