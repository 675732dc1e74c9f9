"""Rules that one kernel of TensorFlow does without new arrays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.optimizers import passes
from tests.optimizers.rules import RATE, RULES, run
from tests.tolerances import EXACT, FLOAT32

KERNELS = {
    "SGD": "ResourceApplyGradientDescent",
    "Momentum": "ResourceApplyKerasMomentum",
    "Nesterov": "ResourceApplyKerasMomentum",
    "Adagrad": "ResourceApplyAdagradV2",
    "Adadelta": "ResourceApplyAdadelta",
}
each_kernel = pytest.mark.parametrize("name", KERNELS)


def operations(optimizer, dtype="float32", count=1):
    """Types of the operations of a traced step on some weights."""
    weights = [keras.Variable(np.ones(4), dtype=dtype) for _ in range(count)]
    optimizer.build(weights)
    step = tf.function(lambda g: optimizer.apply([g] * count, weights))
    graph = step.get_concrete_function(tf.TensorSpec([4], dtype)).graph
    return [operation.type for operation in graph.get_operations()]


@each_kernel
def test_kernel_does_the_whole_rule(name):
    types = operations(RULES[name](RATE))
    assert types.count(KERNELS[name]) == 1
    assert not {"Mul", "Sub", "Square", "Sqrt"} & set(types)


@each_kernel
@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "jit"])
def test_kernel_agrees_with_the_rule_in_float32(name, compiled, monkeypatch):
    shape = (37, 5)  # not a multiple of what a processor does at once
    generator = np.random.default_rng(0)
    steps = [generator.normal(size=shape).astype("float32") for _ in range(20)]

    def walked():
        weight = keras.Variable(np.ones(shape, "float32"))
        optimizer = RULES[name](RATE)
        optimizer.build([weight])
        step = tf.function(
            lambda g: optimizer.apply([g], [weight]), jit_compile=compiled
        )
        for gradient in steps:
            step(tf.constant(gradient))
        return weight.numpy()

    found = walked()
    monkeypatch.setattr(passes, "_kernel_is_of_the_rule", lambda kind: False)
    np.testing.assert_allclose(found, walked(), rtol=FLOAT32, atol=FLOAT32)


@pytest.mark.parametrize(
    "options",
    [{"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"clipvalue": 1.0}]
    + [{"weight_decay": 0.1}],
    ids=["norm", "global", "value", "decay"],
)
def test_clipped_and_decayed_weights_go_without_kernel(options):
    types = operations(tk.optimizers.SGD(RATE, **options))
    assert KERNELS["SGD"] not in types


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_goes_without_kernel(dtype):
    assert KERNELS["Momentum"] not in operations(tk.optimizers.Momentum(RATE), dtype)


def test_changing_momentum_looks_ahead_by_the_next():
    rising = tk.schedules.Linear(0.0, 0.5, steps=4)
    assert KERNELS["Nesterov"] not in operations(tk.optimizers.Nesterov(RATE, rising))
    assert KERNELS["Momentum"] in operations(tk.optimizers.Momentum(RATE, rising))


def test_subclass_that_changes_the_rule_is_heard():
    class Uphill(tk.optimizers.SGD):
        def rule(self, x, g, state, now):
            return x + now.learning_rate * g, state

    class Renamed(tk.optimizers.SGD):
        pass

    weights = run(Uphill(RATE), steps=3)
    mirrored = run(tk.optimizers.SGD(RATE), steps=3)
    for one, other in zip(weights, mirrored, strict=True):
        np.testing.assert_allclose(one - 1, 1 - other, rtol=FLOAT32)
    assert KERNELS["SGD"] in operations(Renamed(RATE))


def test_a_reader_of_the_old_weights_keeps_them():
    weight = keras.Variable(np.ones(4, "float32"))
    optimizer = tk.optimizers.SGD(1.0)
    optimizer.build([weight])

    @tf.function
    def step(gradient):
        before = tf.convert_to_tensor(weight.value)
        optimizer.apply([gradient], [weight])
        return before, tf.convert_to_tensor(weight.value)

    before, after = step(tf.ones(4))
    np.testing.assert_allclose(before.numpy(), 1.0, rtol=EXACT)
    np.testing.assert_allclose(after.numpy(), 0.0, atol=EXACT)


same_rule_of_keras = pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {}),
        ("Momentum", {"momentum": 0.9}),
        ("Nesterov", {"momentum": 0.9, "nesterov": True}),
    ],
)


@same_rule_of_keras
def test_plain_step_has_fewer_operations_than_that_of_keras(name, options):
    theirs = operations(keras.optimizers.SGD(RATE, **options), count=4)
    assert len(operations(RULES[name](RATE), count=4)) < len(theirs)


@same_rule_of_keras
def test_compiled_step_is_no_longer_than_that_of_keras(name, options):
    def fusions(optimizer):
        weights = [keras.Variable(np.ones((8, 8), "float32")) for _ in range(3)]
        gradients = [tf.ones((8, 8))] * 3
        optimizer.build(weights)
        step = tf.function(
            lambda: optimizer.apply(gradients, weights), jit_compile=True
        )
        program = step.experimental_get_compiler_ir()(stage="optimized_hlo")
        return program.partition("ENTRY")[2].count(" fusion(")

    assert fusions(RULES[name](RATE)) <= fusions(keras.optimizers.SGD(RATE, **options))
