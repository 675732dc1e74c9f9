"""Micro-steps, averages and replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.optimizers import fused
from tests.optimizers.rules import ONE_RULE, RATE, RULES
from tests.optimizers.test_contract import (
    assert_close,
    small_data,
    small_model,
    trained,
)
from tests.optimizers.test_contract import weights_of as weights_of
from tests.tolerances import FLOAT32


@pytest.mark.parametrize("name", ONE_RULE)
def test_micro_steps_equal_one_big_batch(name):
    whole = small_model(RULES[name](0.05))
    whole.fit(*small_data(), batch_size=16, epochs=2, shuffle=False, verbose=0)
    parts = small_model(RULES[name](0.05, gradient_accumulation_steps=4))
    parts.fit(*small_data(), batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert_close(weights_of(parts), weights_of(whole), FLOAT32)
    assert int(parts.optimizer.iterations) == 4


def test_schedules_count_updates_not_micro_steps():
    rate = tk.schedules.StepDecay(1.0, factor=0.5, every=1)
    momentum = tk.schedules.Linear(0.0, 0.5, steps=1)
    optimizer = tk.optimizers.Momentum(rate, momentum, gradient_accumulation_steps=2)
    weight = keras.Variable([0.0])
    positions = []
    for _ in range(6):
        optimizer.apply([tf.ones(1)], [weight])
        positions.append(float(weight.numpy()[0]))
    # Updates: v = -1; then v = 0.5 * -1 - 0.5 = -1; then v = -0.5 - 0.25.
    assert positions == [0, -1, -1, -2, -2, -2.75]
    assert float(optimizer.learning_rate) == 0.125


def test_average_counts_updates_not_micro_steps():
    plain = tk.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    micro = tk.optimizers.SGD(
        1.0, use_ema=True, ema_momentum=0.5, gradient_accumulation_steps=2
    )
    weights = [keras.Variable([0.0]), keras.Variable([0.0])]
    for gradient in (1.0, 2.0, 3.0):
        plain.apply([tf.constant([gradient])], [weights[0]])
        for _ in range(2):
            micro.apply([tf.constant([gradient])], [weights[1]])
    for optimizer, weight in zip((plain, micro), weights, strict=True):
        optimizer.finalize_variable_values([weight])
        # Positions -1, -3, -6: the average starts at the first of them.
        np.testing.assert_allclose(weight.numpy(), [-4.0], rtol=FLOAT32)


def test_average_overwrites_weights_every_so_many_updates():
    optimizer = tk.optimizers.SGD(
        1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    )
    weight = keras.Variable([0.0])
    positions = []
    for _ in range(4):
        optimizer.apply([tf.ones(1)], [weight])
        positions.append(float(weight.numpy()[0]))
    assert positions == [-1, -1.5, -2.5, -2.75]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 2**60], ids=["fused", "plain"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"global_clipnorm": 0.1},
        {
            "clipnorm": 0.1,
            "weight_decay": 0.1,
            "use_ema": True,
            "ema_overwrite_frequency": 2,
            "gradient_accumulation_steps": 2,
        },
    ],
    ids=["bare", "clipped", "everything"],
)
@pytest.mark.parametrize("name", ["Momentum", "Adam"])
def test_two_replicas_equal_one(name, options, limit, monkeypatch, two_replicas):
    monkeypatch.setattr(fused, "LAUNCH_PAYS_FROM", limit)
    expected = weights_of(trained(RULES[name](0.05, **options)))
    with two_replicas.scope():
        model = small_model(RULES[name](0.05, **options))
    model.fit(*small_data(), batch_size=8, epochs=2, shuffle=False, verbose=0)
    assert_close(weights_of(model), expected, FLOAT32)


@pytest.mark.slow
def test_two_replicas_equal_one_after_one_epoch(two_replicas):
    everything = {"global_clipnorm": 0.1, "use_ema": True, "weight_decay": 0.1}
    expected = weights_of(trained(RULES["Adam"](0.05, **everything), epochs=1))
    with two_replicas.scope():
        model = small_model(RULES["Adam"](0.05, **everything))
    model.fit(*small_data(), batch_size=8, shuffle=False, verbose=0)
    assert_close(weights_of(model), expected, FLOAT32)


@pytest.mark.slow
def test_two_replicas_with_dynamic_loss_scale_train(two_replicas):
    with two_replicas.scope():
        inner = tk.optimizers.Adam(0.05)
        model = small_model(keras.optimizers.LossScaleOptimizer(inner))
    model.fit(*small_data(), batch_size=8, epochs=2, shuffle=False, verbose=0)
    expected = weights_of(trained(tk.optimizers.Adam(0.05)))
    assert_close(weights_of(model), expected, FLOAT32)


def test_equal_groups_share_one_program(monkeypatch):
    monkeypatch.setattr(fused, "LAUNCH_PAYS_FROM", 0)
    monkeypatch.setattr(fused, "VARIABLES_PER_LAUNCH", 2)
    weights = [keras.Variable(np.zeros((3,))) for _ in range(6)]
    traces = []

    class Counting(tk.optimizers.UpdateRule):
        def rule(self, x, g, state, now):
            traces.append(1)
            return x - now.learning_rate * g, state

    optimizer = Counting(0.1)
    optimizer.build(weights)
    step = tf.function(lambda: optimizer.apply([tf.ones(3)] * 6, weights))
    step()
    step()
    assert len(traces) == 2


def test_raw_tensorflow_variables_are_updated():
    weight = tf.Variable([1.0], dtype=tf.float64)
    optimizer = tk.optimizers.Adam(RATE)
    optimizer.apply_gradients([(tf.ones(1, tf.float64), weight)])
    np.testing.assert_allclose(weight.numpy(), [1 - RATE], rtol=1e-7)  # epsilon
