import importlib
import random as python_random
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.gradcheck import GradientCheck
from tests.gradcheck.planted import FaultyDense
from tests.gradcheck.zoo import FALSE_ALARM_MODELS, MODELS, compiled, lstm, relu_mlp

L = keras.layers


def state_of(model):
    tensors = [*model.variables, *model.optimizer.variables]
    tensors += [v for metric in model.metrics for v in metric.variables]
    return [np.array(v.numpy()) for v in tensors]


@pytest.mark.parametrize(
    "make",
    [
        # What sets this apart the next test has, with more of it.
        pytest.param(make, marks=pytest.mark.slow if make is lstm else ())
        for make in MODELS
    ],
    ids=lambda make: make.__name__,
)
def test_gradcheck_passes_correct_models(make):
    model, x, y = make()
    check = tk.gradcheck(model, x, y)
    assert check.ok, str(check)
    assert check.max_relative_error < 1e-6
    # A bias on every attention key shifts all scores alike: its gradient is zero.
    assert [name for name in check.unjudged if "/key/bias" not in name] == []


@pytest.mark.parametrize(
    ("make", "seeds"),
    [
        pytest.param(make, seeds, id=f"{make.__name__}-{seeds}", marks=marks)
        for make in FALSE_ALARM_MODELS
        for seeds, marks in (
            (6 if make is lstm else 20, pytest.mark.slow),
            (50, pytest.mark.long),
        )
    ],
)
def test_gradcheck_raises_no_false_alarm_over_many_seeds(make, seeds):
    alarms = []
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        check = tk.gradcheck(*make(seed), seed=seed)
        if not check.ok:
            alarms.append((seed, check.causes))
        keras.utils.clear_session()
    assert alarms == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("make", FALSE_ALARM_MODELS[:2], ids=lambda m: m.__name__)
def test_gradcheck_raises_no_false_alarm_in_a_full_check(make, seed):
    keras.utils.set_random_seed(seed)
    check = tk.gradcheck(*make(seed), seed=seed, coordinates="all")
    assert check.ok, str(check)


@pytest.mark.parametrize("fitted", [pytest.param(False, marks=pytest.mark.slow), True])
def test_gradcheck_leaves_model_and_random_state_bit_identical(fitted):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.Dense(8, "relu", kernel_regularizer="l2"),
            L.BatchNormalization(),
            L.Dropout(0.4),
            L.Dense(4, "softmax"),
        ]
    )
    model = compiled(model, metrics=["accuracy"])
    _, x, y = relu_mlp()
    if fitted:
        model.train_on_batch(x, y)
    before = state_of(model)
    draws = python_random.getstate(), np.random.get_state()
    generator = tf.random.get_global_generator().state.numpy()
    policies = [layer.dtype_policy for layer in model.layers]
    tk.gradcheck(model, x, y, wrt="both", burn_in_steps=3, forward_mode=True)
    after = state_of(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert python_random.getstate() == draws[0]
    assert all(
        np.array_equal(a, b)
        for a, b in zip(np.random.get_state(), draws[1], strict=True)
    )
    assert np.array_equal(generator, tf.random.get_global_generator().state.numpy())
    assert [layer.dtype_policy for layer in model.layers] == policies
    assert model.layers[0].losses[0].dtype == tf.float32


def test_training_goes_on_as_if_gradcheck_had_not_been_called():
    histories = []
    for checked in (False, True):
        keras.utils.set_random_seed(3)
        model, x, y = FALSE_ALARM_MODELS[3](3)
        model.jit_compile = False
        if checked:
            tk.gradcheck(model, x, y)
        histories.append(model.fit(x, y, epochs=3, verbose=0).history["loss"])
    assert histories[0] == histories[1]


@pytest.mark.parametrize(
    "compilation",
    [
        pytest.param({"jit_compile": True}, id="jit", marks=pytest.mark.slow),
        pytest.param({"run_eagerly": True}, id="eager"),
        pytest.param({"steps_per_execution": 4}, id="steps", marks=pytest.mark.slow),
        pytest.param(
            {"optimizer": keras.optimizers.Adam(gradient_accumulation_steps=2)},
            id="accumulation",
        ),
    ],
)
def test_gradcheck_does_not_mind_how_the_model_is_run(compilation):
    model, x, y = relu_mlp()
    model.compile(**{"loss": "sparse_categorical_crossentropy", **compilation})
    assert tk.gradcheck(model, x, y).ok


def test_gradcheck_works_on_mirrored_variables(two_replicas):
    with two_replicas.scope():
        model, x, y = relu_mlp()
    assert tk.gradcheck(model, x, y).ok


def test_gradcheck_takes_a_dataset_and_sample_weights():
    model, x, y = relu_mlp()
    weights = np.linspace(0, 1, len(x)).astype("float32")
    data = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(4)
    assert tk.gradcheck(model, data).ok
    assert tk.gradcheck(model, x, y, weights).ok


@pytest.mark.slow
def test_second_derivatives_and_inputs_of_a_model_pass():
    for make in (FALSE_ALARM_MODELS[1], FALSE_ALARM_MODELS[5]):
        assert tk.gradcheck(*make(), order=2).ok
    model, x, y = FALSE_ALARM_MODELS[1]()
    check = tk.gradcheck(model, x, y, wrt="inputs")
    assert check.ok
    assert {entry.parameter for entry in check.entries} == {"input"}


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(L.GRU(3, dropout=0.3), marks=pytest.mark.slow),
        L.Conv2DTranspose(2, 3),
        L.DepthwiseConv2D(2),
        L.GroupNormalization(2),
        L.AveragePooling2D(2),
        L.PReLU(),
        L.ActivityRegularization(0.1, 0.1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_gradcheck_passes_correct_layers(layer):
    shape = (3, 4, 2) if isinstance(layer, L.GRU) else (2, 5, 5, 2)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    check = tk.gradcheck(layer, x)
    assert check.ok, str(check)


def test_a_layer_of_several_arguments_takes_a_tuple():
    random = np.random.default_rng(0)
    query, value = random.normal(size=(2, 3, 4)), random.normal(size=(2, 5, 4))
    check = tk.gradcheck(L.MultiHeadAttention(2, 3), (query, value))
    assert check.ok
    assert {"input/0", "input/1"} <= {entry.parameter for entry in check.entries}


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (keras.losses.Huber(), [np.ones((2, 3)), np.zeros((2, 3)) + 0.3]),
        (tf.linalg.inv, np.eye(3) + 0.1),
        (lambda a, b: {"sum": a + b, "cut": tf.clip_by_value(a, -1, 1)}, [1.5, 0.3]),
        (lambda x, index: tf.gather(x, index), [np.arange(4.0), np.array([1, 1, 3])]),
    ],
    ids=["loss object", "matrix", "nested output", "integer input"],
)
def test_gradcheck_passes_correct_functions(function, inputs):
    assert tk.gradcheck(function, inputs).ok


def test_a_function_takes_keyword_arguments():
    check = tk.gradcheck(lambda a, b: a * b, {"b": np.ones(3), "a": np.ones(3)})
    assert {entry.parameter for entry in check.entries} == {"a", "b"}


class Single(L.Layer):
    """Computes in float32 whatever comes in."""

    def call(self, x):
        return keras.ops.cast(
            keras.ops.tanh(keras.ops.cast(x, "float32")), self.compute_dtype
        )


class Insisting(FaultyDense):
    """Casts its input to float32, which meets no float64 kernel."""

    def call(self, x):
        return super().call(tf.cast(x, tf.float32))


def regression_with(*layers):
    model = keras.Sequential([keras.Input((6,)), L.Dense(5), *layers, L.Dense(4)])
    model.compile("sgd", "mse")
    random = np.random.default_rng(0)
    return model, random.normal(size=(8, 6)), random.normal(size=(8, 4))


def test_a_hidden_float32_stage_is_named_and_lifted():
    check = tk.gradcheck(*regression_with(Single()))
    assert check.ok, str(check)
    assert any("lifted to float64" in note and "single" in note for note in check.notes)


def test_a_hidden_float32_stage_that_cannot_be_lifted_is_judged_with_its_noise(
    monkeypatch,
):
    module = sys.modules["keras_trainkit.gradcheck.check"]
    monkeypatch.setattr(module, "lift", lambda evaluator: False)
    check = tk.gradcheck(*regression_with(Single()))
    assert not check.failures, str(check)
    assert any("judged with its noise" in note for note in check.notes)
    check = tk.gradcheck(*regression_with(Insisting(5, tf.identity)))
    assert check.ok, str(check)
    assert any("its own precision" in note for note in check.notes)
    check = tk.gradcheck(*regression_with(Insisting(5, lambda up: -up)))
    assert "sign" in next(iter(check.causes.values()))


def test_a_layer_that_insists_on_float32_is_lifted_and_judged_finely():
    check = tk.gradcheck(*regression_with(Insisting(5, tf.identity)))
    assert check.ok, str(check)
    assert check.max_relative_error < 1e-6
    assert any("lifted to float64" in note for note in check.notes)
    check = tk.gradcheck(*regression_with(Insisting(5, lambda up: 1.0001 * up)))
    assert "1.0001" in next(iter(check.causes.values()))


def test_a_kink_at_the_point_itself_is_set_apart_and_named():
    check = tk.gradcheck(tf.nn.relu, np.array([0.0, 1.0, -1.0]), coordinates="all")
    kinks = [entry for entry in check.entries if entry.verdict == "kink"]
    assert any(entry.index == (0,) for entry in kinks)
    assert all("Relu" in entry.kink for entry in kinks)
    assert not check.failures


def test_the_same_seed_gives_the_same_check():
    model, x, y = relu_mlp()
    first, second = (tk.gradcheck(model, x, y, seed=5).to_frame() for _ in range(2))
    assert first.equals(second)


def test_every_tensor_is_compared_at_its_largest_and_at_a_zero_gradient():
    model, x, y = FALSE_ALARM_MODELS[4]()
    x = np.minimum(x, 5)
    frame = tk.gradcheck(model, x, y).to_frame()
    table = frame[frame.parameter == model.trainable_variables[0].path]
    assert (table.analytic == 0).any()
    assert set(frame.parameter) == {v.path for v in model.trainable_variables}


def test_raise_if_failed_returns_the_check_or_raises_the_report():
    check = tk.gradcheck(tf.tanh, np.ones(3))
    assert check.raise_if_failed() is check
    broken = tf.custom_gradient(lambda x: (x * 2.0, lambda up: up))
    with pytest.raises(AssertionError, match="constant factor"):
        tk.gradcheck(broken, np.ones(3)).raise_if_failed()


def test_burn_in_moves_the_point_and_leaves_the_model():
    model, x, y = relu_mlp()
    before = model.get_weights()
    fresh, burnt = (tk.gradcheck(model, x, y, burn_in_steps=n) for n in (0, 20))
    assert burnt.ok
    values = [set(check.to_frame().analytic) for check in (fresh, burnt)]
    assert values[0] != values[1]
    assert all(
        np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)
    )


def test_plot_draws_one_curve_an_entry():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    ax = tk.gradcheck(tf.tanh, np.linspace(0, 1, 5)).plot(entries=3)
    assert len(ax.lines) == 4
    pyplot.close("all")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 3}, "`order` must be one of 1, 2"),
        ({"coordinates": -1}, "`coordinates` must be an integer >= 0"),
        ({"directions": 0}, "`directions` must be an integer >= 1"),
        ({"tolerance": 0.0}, "`tolerance` must be"),
        ({"wrt": "weights"}, "`wrt` must be one of"),
        ({"joint": 1}, "`joint` must be True or False"),
        ({"y": np.ones(3)}, "`y` and `sample_weight` must be None"),
        ({"gradient": [np.ones(2)]}, "`gradient` must give one array"),
        ({"gradient": [np.ones(3)], "order": 2}, "order=1 only"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_gradcheck_names_a_wrong_argument(options, message):
    with pytest.raises(ValueError, match=message):
        tk.gradcheck(tf.tanh, np.ones(3), **options)


@pytest.mark.parametrize(
    ("function", "inputs", "message"),
    [
        (3, 1.0, "`target` must be"),
        (tf.identity, np.arange(3), "at least one floating-point array"),
        (lambda x: None, 1.0, "must return at least one float tensor"),
        (tf.argmax, np.ones(3), "must return at least one float tensor"),
        (L.MultiHeadAttention(1, 2), [np.ones((1, 2, 3))] * 2, r"\(query, value\)"),
        (L.MultiHeadAttention(1, 2), (np.ones((1, 2, 3)),), "a tuple of 1"),
        (lambda x: tf.math.log(x - 5.0), 1.0, "must be finite"),
        (tf.sqrt, 0.0, "gradient must be finite"),
        (lambda x: x * tf.random.uniform([]), 1.0, "same value"),
    ],
    ids=[
        "target",
        "integers",
        "none",
        "argmax",
        "list",
        "one",
        "nan",
        "gradient",
        "random",
    ],
)
def test_gradcheck_refuses_what_it_cannot_check(function, inputs, message):
    with pytest.raises(ValueError, match=message):
        tk.gradcheck(function, inputs)


def _counted():
    """A loss, a layer and a function that count their calls, and change with it."""
    count = tf.Variable(1.0, trainable=False)

    class Counting(keras.losses.Loss):
        def call(self, y_true, y_pred):
            count.assign_add(0.5)
            return tf.reduce_mean(tf.square(y_true - y_pred), axis=-1) * count

    class Layer(L.Layer):
        def call(self, x):
            count.assign_add(0.5)
            return x * tf.cast(count, x.dtype)

    def function(x):
        count.assign_add(0.5)
        return tf.reduce_sum(x * x) * tf.cast(count, x.dtype)

    model = keras.Sequential([keras.Input((3,)), L.Dense(2)])
    model.compile("sgd", Counting())
    return count, {
        "model": (model, np.ones((4, 3)), np.ones((4, 2), "float32")),
        "layer": (Layer(), np.ones((4, 3), "float32")),
        "function": (function, np.ones(3)),
    }


@pytest.mark.parametrize("kind", ["model", "layer", "function"])
def test_gradcheck_puts_back_plain_variables_of_what_it_refuses(kind):
    count, targets = _counted()
    with pytest.raises(ValueError, match="same value"):
        tk.gradcheck(*targets[kind])
    assert float(count) == 1.0


def test_gradcheck_puts_back_a_counter_that_changes_no_value():
    count = tf.Variable(0, trainable=False)

    def function(x):
        count.assign_add(1)
        return tf.reduce_sum(x * x)

    check = tk.gradcheck(function, np.ones(3))
    assert check.ok
    check.plot()
    assert int(count) == 0


def test_gradcheck_refuses_a_model_without_loss_or_weights():
    model = keras.Sequential([keras.Input((2,)), L.Flatten()])
    with pytest.raises(ValueError, match="must be compiled"):
        tk.gradcheck(model, np.ones((2, 2)), np.ones((2, 2)))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="something to differentiate"):
        tk.gradcheck(model, np.ones((2, 2)), np.ones((2, 2)))


def test_the_function_wins_the_name_and_the_room_stays_importable():
    room = importlib.import_module("keras_trainkit.gradcheck")
    assert tk.gradcheck is room.gradcheck
    assert room.GradientCheck is GradientCheck


@pytest.mark.parametrize("verbose", [True, False])
def test_long_checks_show_a_progress_bar_unless_told_not_to(
    verbose, monkeypatch, capsys
):
    monkeypatch.setattr(sys.modules["keras_trainkit.gradcheck.evaluator"], "LONG", 0.0)
    x = np.linspace(0.0, 1.0, 100)
    tk.gradcheck(tf.tanh, x, coordinates="all", verbose=verbose)
    assert ("evaluation" in capsys.readouterr().out) == verbose


def test_gradcheck_and_minimize_ask_for_the_targets_of_a_compiled_loss():
    model = keras.Sequential([keras.Input((2,)), L.Dense(1)])
    model.compile("sgd", "mse")
    for ask in (tk.gradcheck, tk.second_order.minimize):
        with pytest.raises(ValueError, match="`y` must be the targets"):
            ask(model, np.ones((2, 2)))
