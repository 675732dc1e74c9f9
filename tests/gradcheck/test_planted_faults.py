import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from tests.gradcheck.planted import KERNEL_FAULTS, FaultyDense, with_backward

L = keras.layers


def model_with(layer, loss="sparse_categorical_crossentropy"):
    model = keras.Sequential(
        [
            keras.Input((16,)),
            L.Dense(20, "relu", name="before"),
            layer,
            L.Dense(4, "softmax", name="after"),
        ]
    )
    model.compile("sgd", loss)
    return model


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    return random.normal(size=(8, 16)).astype("float32"), random.integers(0, 4, 8)


@pytest.mark.parametrize(
    "fault",
    [
        # What these have of their own, others of the room have too.
        pytest.param(
            fault,
            marks=pytest.mark.slow if fault in ("one entry", "broadcast") else (),
        )
        for fault in KERNEL_FAULTS
    ],
)
def test_gradcheck_names_tensor_and_kind_of_a_planted_fault(fault, batch):
    backward, words = KERNEL_FAULTS[fault]
    model = model_with(FaultyDense(20, backward, name="faulty"))
    check = tk.gradcheck(model, *batch)
    assert not check.ok
    assert list(check.causes) == [model.get_layer("faulty").kernel.path]
    assert words in next(iter(check.causes.values()))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["scaled", "sign", "one entry"])
def test_joint_directions_find_the_fault_too(fault, batch):
    backward, words = KERNEL_FAULTS[fault]
    model = model_with(FaultyDense(20, backward, name="faulty"))
    check = tk.gradcheck(model, *batch, joint=True)
    assert list(check.causes) == [model.get_layer("faulty").kernel.path]
    assert words in next(iter(check.causes.values()))


def test_gradcheck_finds_one_wrong_entry_of_a_large_tensor_by_bisection():
    random = np.random.default_rng(1)

    def dropped(upstream):
        mask = np.ones(upstream.shape)
        mask[61, 17] = 0.0
        return upstream * tf.constant(mask, upstream.dtype)

    check = tk.gradcheck(FaultyDense(100, dropped), random.normal(size=(20, 100)))
    wrong = [entry for entry in check.failures if isinstance(entry.index, tuple)]
    assert [entry.index for entry in wrong] == [(61, 17)]
    assert "one entry of 10000 wrong: (61, 17)" in str(check)


def test_gradcheck_names_a_mean_taken_for_a_sum(batch):
    @tf.custom_gradient
    def mean(value):
        shape = tf.shape(value)
        return tf.reduce_mean(value), lambda up: up * tf.ones(shape, value.dtype)

    def loss(y_true, y_pred):
        target = tf.reshape(tf.cast(y_true, y_pred.dtype), [-1, 1])
        return mean(tf.reduce_sum((y_pred - target) ** 2, -1))

    model = model_with(L.Dense(20), loss)
    check = tk.gradcheck(model, *batch)
    assert len(check.causes) == 6
    assert all("number of examples" in words for words in check.causes.values())


def test_gradcheck_finds_a_dropped_penalty_in_a_given_gradient(batch):
    layer = L.Dense(20, kernel_regularizer=keras.regularizers.L2(0.01), name="heavy")
    model = model_with(layer)
    x, y = batch
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(
            keras.losses.sparse_categorical_crossentropy(y, model(x, training=True))
        )
    gradient = tape.gradient(loss, [v.value for v in model.trainable_variables])
    check = tk.gradcheck(model, x, y, gradient=gradient)
    assert list(check.causes) == [layer.kernel.path]
    assert "0.02 times the value itself, as an L2" in check.causes[layer.kernel.path]


def test_gradcheck_passes_a_right_gradient_given_in_float32(batch):
    model = model_with(L.Dense(20))
    x, y = batch
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x, y, model(x, training=True))
    gradient = tape.gradient(loss, [v.value for v in model.trainable_variables])
    check = tk.gradcheck(model, x, y, gradient=gradient, tolerance=1e-4)
    assert check.ok


def test_gradcheck_says_when_a_penalty_is_not_in_the_loss(batch):
    class Forgetful(keras.Model):
        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return tf.reduce_mean(
                keras.losses.sparse_categorical_crossentropy(y, y_pred)
            )

    inputs = keras.Input((16,))
    model = Forgetful(inputs, L.Dense(4, "softmax", kernel_regularizer="l2")(inputs))
    model.compile("sgd")
    check = tk.gradcheck(model, *batch)
    assert any("not part of the loss" in note for note in check.notes)


def test_gradcheck_warns_where_regularization_dominates(batch):
    layer = L.Dense(20, kernel_regularizer=keras.regularizers.L2(10.0))
    check = tk.gradcheck(model_with(layer), *batch)
    assert check.ok
    assert any("regularization dominates" in note for note in check.notes)


def test_gradcheck_finds_a_wrong_data_gradient_under_a_large_penalty(batch):
    class Faulty(FaultyDense):
        def build(self, shape):
            super().build(shape)
            self.kernel.regularizer = keras.regularizers.L2(1e4)

    model = model_with(Faulty(20, lambda up: 1.001 * up, name="faulty"))
    check = tk.gradcheck(model, *batch)
    assert {entry.term for entry in check.failures} >= {"data"}
    assert "data loss" in check.causes[model.get_layer("faulty").kernel.path]


def test_gradcheck_finds_a_wrong_input_gradient():
    function = with_backward(lambda up: -up)
    check = tk.gradcheck(lambda x: tf.exp(function(x)), np.linspace(0, 1, 9))
    assert "sign" in check.causes["input 0"]


def test_gradcheck_finds_a_wrong_second_derivative():
    @tf.custom_gradient
    def cube(x):
        slope = with_backward(lambda up: 1.01 * up)
        return x**3, lambda up: up * slope(3 * x**2)

    values = np.linspace(0.5, 1.0, 5)
    assert tk.gradcheck(cube, values).ok
    check = tk.gradcheck(cube, values, order=2)
    assert "1.01" in check.causes["input 0"]


def test_gradcheck_names_a_surrogate_gradient():
    @tf.custom_gradient
    def straight_through(x):
        return tf.round(x), lambda up: up

    check = tk.gradcheck(straight_through, np.array([0.1, 0.3, 1.2, 2.2]))
    assert "surrogate" in check.causes["input 0"]


def test_a_stop_that_is_meant_can_be_held_constant():
    random = np.random.default_rng(0)
    layer = L.SpectralNormalization(L.Dense(4))
    x = random.normal(size=(3, 5)).astype("float32")
    check = tk.gradcheck(layer, x, hold_stopped=False)
    assert not check.ok
    assert any("hold_stopped=True" in note for note in check.notes)
    stop = tf.stop_gradient
    assert tk.gradcheck(layer, x, hold_stopped=True).ok
    assert tf.stop_gradient is stop
    wrong = tk.gradcheck(
        lambda x: tf.stop_gradient(x) * with_backward(lambda up: 2 * up)(x),
        np.ones(3),
        hold_stopped=True,
    )
    assert "2 times" in wrong.causes["input 0"]


def test_gradcheck_of_a_disconnected_value_is_no_pass():
    check = tk.gradcheck(lambda x: tf.stop_gradient(tf.round(x)), np.array([0.1, 0.4]))
    assert not check.ok
    assert check.unjudged == ["input 0"]
    assert "NOT JUDGED" in str(check)


def test_gradcheck_sees_through_a_compiled_call_inside_a_layer():
    class Compiled(FaultyDense):
        @tf.function
        def call(self, x):
            return super().call(x)

    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    wrong = Compiled(3, lambda up: 1.5 * up)
    wrong(x)
    assert tk.gradcheck(Compiled(3, tf.identity), x).ok
    assert "1.5" in next(iter(tk.gradcheck(wrong, x).causes.values()))


def test_forward_mode_sees_a_wrong_backward_rule():
    function = with_backward(lambda up: 1.5 * up)
    check = tk.gradcheck(function, np.ones(3), forward_mode=True)
    note = next(note for note in check.notes if "forward mode" in note)
    assert "3.3e-01" in note
