"""Arguments, hyperparameters that vary, and rules of one's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from tests.optimizers.rules import RATE, RULES
from tests.tolerances import FLOAT64

BAD = [
    ("SGD", {"learning_rate": -0.1}, "`learning_rate` must be a finite number >= 0"),
    ("SGD", {"learning_rate": "fast"}, "Received: learning_rate='fast'"),
    ("SGD", {"weight_decay": -1.0}, "`weight_decay` must be a finite number >= 0"),
    ("SGD", {"clipnorm": -1.0}, "`clipnorm` must be"),
    ("SGD", {"clipvalue": float("nan")}, "`clipvalue` must be"),
    ("SGD", {"global_clipnorm": -1.0}, "`global_clipnorm` must be"),
    ("SGD", {"loss_scale_factor": 0}, "`loss_scale_factor` must be"),
    ("SGD", {"gradient_accumulation_steps": 1}, "an integer >= 2"),
    ("SGD", {"lazy": 1}, "`lazy` must be True or False"),
    ("SGD", {"speed": 1}, "not recognized"),
    ("Momentum", {"momentum": "heavy"}, "Received: momentum='heavy'"),
    ("Momentum", {"momentum": 1.0}, "`momentum` must be a finite number >= 0 and < 1"),
    ("Nesterov", {"momentum": -0.1}, "Received: momentum=-0.1"),
    ("Adagrad", {"epsilon": 0.0}, "`epsilon` must be a finite number > 0"),
    ("RMSprop", {"decay_rate": 1.5}, "Received: decay_rate=1.5"),
    ("Adadelta", {"decay_rate": None}, "Received: decay_rate=None"),
    ("Adam", {"beta_1": 1.0}, "Received: beta_1=1.0"),
    ("Adam", {"beta_2": -0.5}, "Received: beta_2=-0.5"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD, ids=str)
def test_bad_argument_is_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        RULES[name](**arguments)


@pytest.mark.parametrize("dtype", ["int32", "complex64"])
def test_weights_that_are_not_real_are_refused_before_anything_changes(dtype):
    optimizer = tk.optimizers.Adam(0.1)
    real, other = tf.Variable([1.0]), tf.Variable(tf.zeros(1, dtype))
    with pytest.raises(ValueError, match=f"of dtype .*{dtype}"):
        optimizer.apply([tf.ones(1), tf.zeros(1, dtype)], [real, other])
    assert real.numpy() == 1.0
    assert len(optimizer.variables) == 2  # iterations and rate


def test_integer_rate_is_taken():
    weight = keras.Variable([3.0])
    tk.optimizers.SGD(1).apply([tf.ones(1)], [weight])
    assert weight.numpy() == 2.0


def test_rate_is_settable_and_may_be_callable():
    optimizer = tk.optimizers.SGD(0.5)
    weight = keras.Variable([0.0])
    optimizer.learning_rate = 2.0
    optimizer.apply([tf.ones(1)], [weight])
    assert weight.numpy() == -2.0
    called = tk.optimizers.SGD(lambda: 4.0)
    called.apply([tf.ones(1)], [weight])
    assert weight.numpy() == -6.0


def test_unknown_variable_is_refused():
    optimizer = tk.optimizers.SGD(0.5)
    optimizer.build([keras.Variable([0.0])])
    with pytest.raises(ValueError, match="Unknown variable"):
        optimizer.apply([tf.ones(1)], [keras.Variable([0.0])])


HALVING = ("decay_rate", "beta_1", "beta_2", "momentum")


@pytest.mark.parametrize("name", [n for n in RULES if RULES[n].hyperparameters])
def test_constant_schedule_equals_the_number(name):
    names = [h for h in RULES[name].hyperparameters if h in HALVING] or ["epsilon"]
    schedules = {h: tk.schedules.Linear(0.5, 0.5, steps=1) for h in names}
    results = []
    for arguments in (dict.fromkeys(names, 0.5), schedules):
        optimizer = RULES[name](RATE, **arguments)
        weight = keras.Variable(np.ones(3), dtype="float64")
        for step in range(5):
            optimizer.apply([tf.constant([1.0, -2.0, step], tf.float64)], [weight])
        results.append(weight.numpy())
    np.testing.assert_allclose(results[0], results[1], rtol=FLOAT64)


def test_adam_corrects_with_the_product_of_varying_betas():
    betas = [0.5, 0.75, 0.875]
    rising = tk.schedules.Join(betas, boundaries=[1, 2])
    optimizer = tk.optimizers.Adam(RATE, beta_1=rising, beta_2=rising)
    weight = keras.Variable([1.0], dtype="float64")
    x, m, v, product = 1.0, 0.0, 0.0, 1.0
    for beta, g in zip(betas, (1.0, -3.0, 0.5), strict=True):
        optimizer.apply([tf.constant([g], tf.float64)], [weight])
        m, v, product = (
            beta * m + (1 - beta) * g,
            beta * v + (1 - beta) * g * g,
            (product * beta),
        )
        root = np.sqrt(v / (1 - product))
        x -= RATE * m / (1 - product) / (root + 1e-8)
    np.testing.assert_allclose(weight.numpy(), x, rtol=FLOAT64)


def test_varying_momentum_survives_saving():
    rising = tk.schedules.Linear(0.5, 0.99, steps=100)
    first = tk.optimizers.Momentum(0.1, momentum=rising)
    second = tk.optimizers.Momentum.from_config(first.get_config())
    assert second.momentum.get_config() == rising.get_config()


@pytest.mark.parametrize("varying", [False, True], ids=["constant", "varying"])
def test_nesterov_equals_the_look_ahead_form(varying):
    """Under x = y + momentum * v, step for step."""
    momenta = [0.5, 0.625, 0.75, 0.875] if varying else [0.75] * 4
    momentum = 0.75
    if varying:
        momentum = tk.schedules.Linear(0.5, 0.875, steps=3)
    following = [*momenta[1:], 0.875 if varying else 0.75]
    target = np.array([1.0, -2.0])
    curvature = np.array([3.0, 0.25])

    optimizer = tk.optimizers.Nesterov(RATE, momentum=momentum)
    x = keras.Variable(np.zeros(2), dtype="float64")
    y, v = np.zeros(2), np.zeros(2)
    for mu, next_mu in zip(momenta, following, strict=True):
        optimizer.apply([tf.constant(curvature * (x.numpy() - target))], [x])
        v = mu * v - RATE * curvature * (y + mu * v - target)
        y = y + v
        np.testing.assert_allclose(x.numpy(), y + next_mu * v, rtol=FLOAT64)


def test_rule_of_ones_own_is_its_equation():
    class SignDescent(tk.optimizers.UpdateRule):
        def rule(self, x, g, state, now):
            return x - now.learning_rate * tf.sign(g), state

    weight = keras.Variable([1.0, 1.0])
    SignDescent(0.25).apply([tf.constant([3.0, -0.1])], [weight])
    assert weight.numpy().tolist() == [0.75, 1.25]


def test_rule_that_defines_none_says_so():
    optimizer = tk.optimizers.UpdateRule(0.1)
    with pytest.raises(NotImplementedError, match="UpdateRule must define `rule`"):
        optimizer.apply([tf.ones(1)], [keras.Variable([1.0])])
