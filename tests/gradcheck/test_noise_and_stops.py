"""Random numbers in single precision, and gradients that are stopped on purpose."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from tests.gradcheck.planted import FaultyDense

L = keras.layers
X = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")


class Sampling(L.Layer):
    """Draws without a dtype, as the encoder of a VAE in many a tutorial."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw
        self.generator = keras.random.SeedGenerator(3)

    def call(self, parts):
        mean, spread = parts
        noise = self.draw(tf.shape(mean), self.generator)
        return mean + tf.exp(0.5 * spread) * noise


DRAWS = {
    "normal": lambda shape, seed: keras.random.normal(shape, seed=seed),
    "uniform": lambda shape, seed: keras.random.uniform(shape, seed=seed),
    "truncated": lambda shape, seed: keras.random.truncated_normal(shape, seed=seed),
    "stateless": lambda shape, seed: tf.random.stateless_normal(shape, [1, 2]),
    "dropout": lambda shape, seed: keras.random.dropout(tf.ones(shape), 0.3, seed=seed),
}


def variational(draw, factor=1.0):
    class Coder(keras.Model):
        def __init__(self):
            super().__init__()
            self.mean = L.Dense(3, name="mean")
            self.spread = FaultyDense(3, lambda up: factor * up, name="spread")
            self.sample = Sampling(draw)
            self.image = L.Dense(6, "tanh")

        def call(self, x):
            code = self.sample([self.mean(x), self.spread(x)])
            return self.image(code)

    model = Coder()
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind, marks=() if kind in ("normal", "dropout") else pytest.mark.slow
        )
        for kind in DRAWS
    ],
)
def test_drawn_numbers_do_not_loosen_the_tolerance(kind):
    check = tk.gradcheck(variational(DRAWS[kind]), X, X, directions=1, coordinates=2)
    assert check.ok, str(check)
    assert check.tolerance <= 1e-5, str(check)


@pytest.mark.parametrize(
    "factor", [pytest.param(1.005, marks=pytest.mark.slow), 0.9999]
)
def test_a_small_fault_beside_drawn_numbers_is_found(factor):
    model = variational(DRAWS["normal"], factor)
    check = tk.gradcheck(model, X, X, directions=1, coordinates=2)
    assert not check.ok, str(check)
    assert all("spread" in name for name in check.causes), str(check)


def test_a_verdict_says_how_coarse_it_is():
    check = tk.gradcheck(L.Dense(2), X, tolerance=1e-2)
    assert check.ok
    assert "passed (to 1e-02 only)" in str(check)
    assert "passed (good)" in str(tk.gradcheck(L.Dense(2), X))


def normalised():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            L.SpectralNormalization(L.Dense(5, "tanh")),
            L.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    return model


def test_what_keras_stops_is_held_by_default_and_said():
    y = X[:, :2]
    check = tk.gradcheck(normalised(), X, y, directions=1, coordinates=2)
    assert check.ok, str(check)
    assert any("a layer of Keras stops are held" in note for note in check.notes)
    bare = tk.gradcheck(
        normalised(), X, y, directions=1, coordinates=2, hold_stopped=False
    )
    assert not bare.ok


class Stopping(L.Layer):
    """Stops half of what it passes: by TensorFlow's name, or by that of Keras."""

    def __init__(self, stop):
        super().__init__()
        self.stop = stop
        self.inner = L.SpectralNormalization(L.Dense(6))

    def build(self, shape):
        self.scale = self.add_weight(shape=(6,), initializer="ones", name="scale")
        self.inner.build(shape)

    def call(self, x, training=None):
        return self.inner(x, training=training) + self.stop(x * self.scale)


@pytest.mark.parametrize("stop", [tf.stop_gradient, keras.ops.stop_gradient])
@pytest.mark.parametrize("make", [L.Lambda, L.Activation])
def test_a_stop_that_a_layer_of_keras_is_given_is_the_user_s(make, stop):
    model = keras.Sequential([keras.Input((6,)), L.Dense(3), make(stop), L.Dense(2)])
    model.compile("adam", "mse")
    check = tk.gradcheck(model, X, X[:, :2], directions=1, coordinates=1)
    assert not check.ok, str(check)


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(
            lambda x: tf.stop_gradient(x), id="tensorflow", marks=pytest.mark.slow
        ),
        pytest.param(lambda x: keras.ops.stop_gradient(x), id="keras"),
    ],
)
def test_a_stop_of_the_user_stays_visible(stop):
    layer = Stopping(stop)
    check = tk.gradcheck(layer, X, wrt="parameters", directions=1, coordinates=2)
    assert not check.ok, str(check)
    assert any("scale" in name for name in check.causes), str(check)
    assert all("inner" not in name for name in check.causes), str(check)
    assert (
        tk.gradcheck(
            layer, X, wrt="parameters", directions=1, coordinates=2, hold_stopped=True
        ).max_relative_error
        < 1e-5
    )
